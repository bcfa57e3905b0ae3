# Entering a tree: which variables the command gets, and by which way it comes in.

# What of this machine's /etc is seen in a tree: users, names of machines, settings of pip and git.
host_files='passwd group hosts resolv.conf localtime pip.conf gitconfig
  ssl/certs/ca-certificates.crt'

# mount_points ETC: makes sure that each of them has a file there to be mounted on.
mount_points() {
  for file in $host_files; do
    if [ ! -f "$1/$file" ] || [ -L "$1/$file" ]; then
      rm -f "$1/$file"
      : >"$1/$file"
    fi
  done
}

run_inside_again() {
  [ -z "$suite$groups" ] ||
    die "--suite and --with have no effect inside a tree (this is $FEM_RD_TREE)"
  exec "$@"
}

run_in_tree() {
  [ -L /bin ] && [ -L /lib ] || die "this machine keeps /bin and /lib outside /usr, and a tree" \
    "cannot replace them; use conda with environment/environment.yml"
  refuse_hidden "$(pwd -P)" "the working directory"
  refuse_hidden "$repository" "the repository"
  exec 9<"$tree" # held until the command ends, so that nobody removes the tree
  flock --shared --nonblock 9 || die "$tree is being removed; try again"
  set_variables
  set -- env PATH="$environment/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" "$@"
  if unshare --mount mount --bind "$tree" "$tree" 2>/dev/null; then
    exec unshare --mount sh "$environment/overlay.sh" "$tree" "$host_files" "$@"
  elif unshare --user --map-root-user --mount mount --bind "$tree" "$tree" 2>/dev/null; then
    user=$(id -u) group=$(id -g)
    [ "$user" = 0 ] || set -- unshare --user --map-user="$user" --map-group="$group" "$@"
    exec unshare --user --map-root-user --mount \
      sh "$environment/overlay.sh" "$tree" "$host_files" "$@"
  fi
  run_in_proot "$@"
}

# refuse_hidden DIRECTORY WHAT: a tree takes the place of /usr and /etc.
refuse_hidden() {
  case $1/ in
    /usr/* | /etc/*) die "$2 $1 is hidden by the tree, which has its own /usr and /etc; move it" ;;
  esac
}

# run_in_proot: the way in where namespaces are not allowed. Slower, because it traces each call,
# and between us and the command: a signal sent to with-env alone stays with proot.
run_in_proot() {
  if ! have proot; then
    [ "$(id -u)" = 0 ] || die "neither user namespaces nor proot work here; use conda with" \
      "environment/environment.yml, or ask an administrator for the package proot"
    install_on_host proot
  fi
  for file in $host_files; do
    [ ! -f "/etc/$file" ] || set -- -b "/etc/$file" "$@"
  done
  export PMIX_MCA_gds=hash # proot moves the shared memory that mpirun wants at a fixed address
  exec proot -b "$tree/usr:/usr" -b "$tree/etc:/etc" "$@"
}

# set_variables: nothing of another Python, compiler or MPI may leak in; caches of compiled forms
# are the tree's own, because another compiler and C library made the others.
set_variables() {
  unset PYTHONHOME VIRTUAL_ENV CONDA_PREFIX PETSC_DIR PETSC_ARCH SLEPC_DIR SLEPC_ARCH
  unset LD_LIBRARY_PATH LD_PRELOAD CC CFLAGS CPPFLAGS LDFLAGS LC_ALL
  home=$cache/home/$tree_name
  [ -w "$cache" ] || home=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/fem-rd/home/$tree_name
  mkdir -p "$home/cache" "$home/config/dolfinx"
  jit_options "$home/config/dolfinx/dolfinx_jit_options.json"
  export FEM_RD_TREE="$tree_name" HOME="${HOME:-$home}" LANG=C.UTF-8
  export XDG_CACHE_HOME="$home/cache" XDG_CONFIG_HOME="$home/config"
  export PYTHONPATH="$repository" PYTHONNOUSERSITE=1
  mpi_variables
}

# jit_options FILE: ranks and tests that wait for each other's compiler wait 120 s instead of 10.
jit_options() {
  [ -e "$1" ] || { echo '{"timeout": 120}' >"$1.$$" && mv "$1.$$" "$1"; }
}

# mpi_variables: one machine, shared memory, one thread per rank. More ranks than cores is not
# allowed by default: Open MPI 5.0.7 can hang then, when a communicator with a graph is made.
mpi_variables() {
  export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" OMPI_MCA_btl="${OMPI_MCA_btl:-self,sm}"
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
}
