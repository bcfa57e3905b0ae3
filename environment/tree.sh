# Building a tree: the usr and etc of a Debian with DOLFINx, once, in the cache.
#
# A tree is built beside its place and renamed into it, so a tree that is there is complete. Builds
# wait for each other on $cache/lock, which their child processes hold too. A running command holds
# a shared lock on its tree.

build_megabytes=4000 # the most that a build takes on the way, and each optional group adds
group_megabytes=1500
build_pid=''

ensure_tree() {
  unfinished=$(ls -d "$cache"/building.* 2>/dev/null || true)
  if [ -d "$tree" ] && { [ -z "$unfinished" ] || [ ! -w "$cache" ]; }; then return; fi
  have flock || die "flock is missing (package util-linux)"
  mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || die "cannot write $cache; set FEM_RD_CACHE"
  exec 9>"$cache/lock"
  if [ -d "$tree" ]; then
    ! flock --nonblock 9 || remove_builds
  else
    flock --nonblock 9 || { say "another build is running; waiting for it"; flock 9; }
    remove_builds
    [ -d "$tree" ] || build_tree
  fi
  exec 9>&-
}

# remove_builds: what a build leaves, be it done or killed. Only for who holds the lock.
remove_builds() {
  choose_builder
  for build in "$cache"/building.*; do
    [ ! -e "$build" ] || $as_builder rm -rf --one-file-system "$build"
  done
}

build_tree() {
  need_space "$cache" $((build_megabytes + $(echo $groups | wc -w) * group_megabytes))
  need_tools
  choose_builder
  [ "$(id -u)" = 0 ] || [ -n "$as_builder" ] || die "you have no user namespaces here; an" \
    "administrator gives you numbers in /etc/subuid and /etc/subgid, or builds a tree for you" \
    "and you set FEM_RD_CACHE to where it is"
  trap 'abandon' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  work=$(mktemp -d "$cache/building.XXXXXX")
  log=$cache/build.log
  say "building the tree $tree_name in $cache (once, 1 to 3 minutes; log: $log)"
  run_mmdebstrap || die "the tree could not be built: $(reason_in "$log"); see $log"
  mount_points "$work/tree/etc"
  mv "$work/tree" "$tree"
  trap - EXIT HUP INT TERM
  remove_builds
  remove_older
  say "done ($(du -sm "$tree" | cut -f1) MB)"
}

# abandon: ends a build that failed or was interrupted, and leaves nothing of it but the log.
abandon() {
  trap '' HUP INT TERM
  [ -z "$build_pid" ] || kill -s KILL -- "-$build_pid" "$build_pid" 2>/dev/null || true
  wait
  remove_builds
}

# run_mmdebstrap: fills $work/tree.
run_mmdebstrap() {
  set -- --variant=essential --dpkgopt=force-unsafe-io --aptopt='Acquire::Retries "3";' \
    --include="$(debian_packages run test $groups | paste -s -d ,)" \
    --customize-hook='chroot "$1" dpkg-query --show >"$1/etc/packages"' \
    --customize-hook="cd \"\$1\" && rm -rf $(trimmed_paths | paste -s -d ' ')"
  # A mirror may be a snapshot of unstable, older than its signature allows.
  [ "$suite" != sid ] || set -- "$@" --aptopt='Acquire::Check-Valid-Until "false";'
  while read -r setting; do
    [ -z "$setting" ] || set -- "$@" --aptopt="$setting"
  done <<END
$(apt_settings)
END
  mkdir "$work/debian" "$work/tree"
  TMPDIR=$work in_background mmdebstrap --mode=root "$@" "$suite" "$work/debian" $(debian_mirror) &&
    mv "$work/debian/usr" "$work/debian/etc" "$work/tree"
}

# in_background COMMAND...: so that an end of with-env, by whatever signal, ends the build too. Not
# in the foreground, where a shell hears no signal until its child is done; in a session of its own,
# to be killed as a whole; and with the parent's death as its own, because kill -9 runs no trap.
in_background() {
  setpriv --pdeathsig KILL setsid $as_builder "$@" </dev/null >"$log" 2>&1 &
  build_pid=$!
  wait "$build_pid" || return 1
  build_pid=''
}

# choose_builder: a prefix for commands that build. Namespaces, so that mounts and processes go when
# the build goes. A user other than root is root in one, and has more user numbers from /etc/subuid.
choose_builder() {
  as_builder='unshare --mount --pid --fork --kill-child'
  [ "$(id -u)" = 0 ] ||
    as_builder="$as_builder --user --map-root-user --map-users=auto --map-groups=auto"
  $as_builder true 2>/dev/null || as_builder=''
}

# reason_in LOG: in words, why apt or mmdebstrap failed.
reason_in() {
  unreachable='[Rr]esolv|[Cc]ould not connect|[Uu]nable to connect|timed out|unreachable'
  if grep -q -E 'No space left on device|enough free space' "$1"; then
    echo "the disk is full"
  elif grep -q -E "$unreachable" "$1"; then
    echo "the Debian mirror cannot be reached (is there a network? FEM_RD_MIRROR names another)"
  elif grep -q -E 'does not have a Release file|404 ' "$1"; then
    echo "the mirror does not have Debian $suite (FEM_RD_MIRROR names another)"
  elif grep -q -E 'NO_PUBKEY|signatures couldn.t be verified' "$1"; then
    echo "the mirror's signature is not known here (update the package debian-archive-keyring)"
  elif grep -q -E 'subuid|newuidmap|unshare' "$1"; then
    echo "user namespaces do not work here (an administrator gives you a range in /etc/subuid)"
  else
    grep -E '^E: ' "$1" | head -n1 | cut -c4- || true
  fi
}

# remove_older: the trees of this name with another stamp, unless a command still runs in one.
remove_older() {
  for older in "$cache/$tree_name".*; do
    [ "$older" = "$tree" ] || remove_tree "$older" || true
  done
}

remove_tree() { flock --exclusive --nonblock "$1" rm -rf --one-file-system "$1"; }

remove_all() {
  [ -d "$cache" ] || return 0
  exec 9>"$cache/lock"
  flock --nonblock 9 || die "a build is running in $cache"
  for each in "$cache"/*.[0-9]*; do
    [ ! -d "$each" ] || remove_tree "$each" || say "$each is in use and stays"
  done
  remove_builds
  rm -rf "$cache/home" "$cache"/*.log "$cache/lock"
  rmdir "$cache" 2>/dev/null || true
}

print_status() {
  if python_is_usable; then
    echo "python3: has all that fem_rd needs, and is used"
  else
    echo "python3: not used (DOLFINx 0.9 to 0.11 or another package is missing)"
  fi
  for each in "$cache"/*.[0-9]*; do
    [ -d "$each/usr" ] || continue
    echo "tree: $each ($(du -sm "$each" | cut -f1) MB)"
  done
  [ -d "$tree" ] || echo "tree: $tree_name is not built yet"
}
