# This machine: is its own python3 enough, what does its apt use, what has to be installed.

# python_is_usable: does python3 have DOLFINx and all else?
python_is_usable() { have python3 && python3 "$environment/usable.py" "$package_list"; }

run_here() {
  export PATH="$environment/bin:$PATH"
  export PYTHONPATH="$repository${PYTHONPATH:+:$PYTHONPATH}"
  exec "$@"
}

# debian_mirror: the one that apt uses here; nothing if there is none (mmdebstrap takes its own).
debian_mirror() {
  if [ -n "${FEM_RD_MIRROR:-}" ]; then
    echo "$FEM_RD_MIRROR"
  elif have apt-get; then
    apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages' \
      2>/dev/null | grep -m1 -E '/debian/?$' || true
  fi
}

# apt_settings: what apt is told here about proxies, certificates and stale mirrors.
apt_settings() {
  have apt-config || return 0
  apt-config dump --no-empty --format '%F "%v";%n' Acquire |
    grep -E '^Acquire::(Check-Valid-Until|Check-Date|https?::(Proxy|CaInfo|[^:]+::Proxy))' || true
}

# need_tools: what builds a tree, installed now if we may.
need_tools() {
  [ "$(uname -s)" = Linux ] || die "trees need Linux; use conda with environment/environment.yml"
  missing=''
  have mmdebstrap || missing="mmdebstrap debian-archive-keyring"
  [ "$(id -u)" = 0 ] || have newuidmap || missing="$missing uidmap"
  [ -z "$missing" ] || install_on_host $missing
}

install_on_host() {
  have apt-get || die "no apt-get here to install: $*; use conda with environment/environment.yml"
  [ "$(id -u)" = 0 ] || die "missing: $*; ask an administrator for: apt-get install $*"
  say "installing on this machine: $*"
  host_log=$cache/apt.log
  {
    apt-get update || true # another of the machine's sources may be broken
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
      --option DPkg::Lock::Timeout=120 "$@"
  } </dev/null >"$host_log" 2>&1 ||
    die "apt-get install $* failed: $(reason_in "$host_log"); see $host_log"
  rm -f "$host_log"
}

# free_megabytes DIRECTORY
free_megabytes() { df -Pm "$1" | awk 'NR == 2 { print $4 }'; }

# need_space DIRECTORY MEGABYTES
need_space() {
  free=$(free_megabytes "$1")
  [ "$free" -ge "$2" ] || die "$1 has $free MB free and the tree needs $2 MB;" \
    "make room, or set FEM_RD_CACHE to a directory on a larger disk"
}
