# What with-env says, always on standard error and in one line.

say() { printf 'with-env: %s\n' "$*" >&2; }

# 125 is the status that env, timeout and docker give when the command itself never started.
die() {
  say "$*"
  exit 125
}

have() { command -v "$1" >/dev/null 2>&1; }
