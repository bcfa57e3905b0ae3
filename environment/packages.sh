# Reading the package list and the choice of a tree.

package_list=$environment/packages.txt
trim_list=$environment/trim.txt

# package_rows: the rows of the list as GROUP DEBIAN-NAME.
package_rows() { awk -F'|' '!/^#/ && NF == 6 { gsub(/ /, ""); print $1, $2 }' "$package_list"; }

# debian_packages GROUP...: their Debian names, one per line.
debian_packages() {
  package_rows | awk -v wanted=" $* " 'index(wanted, " " $1 " ") && $2 != "-" { print $2 }'
}

# trimmed_paths: the patterns of what a finished tree does without.
trimmed_paths() { awk -F'|' '!/^#/ && NF == 2 { gsub(/ /, ""); print $1 }' "$trim_list"; }

valid_suite() {
  case $1 in
    trixie | sid) ;;
    *) die "--suite: no suite '$1'; valid: trixie, sid" ;;
  esac
}

valid_group() {
  optional=$(package_rows | awk '$1 != "run" && $1 != "test" { print $1 }' | sort -u)
  for group in $optional; do
    [ "$group" != "$1" ] || return 0
  done
  die "--with: no group '$1'; valid:" $optional
}

# choose_tree: names the tree of $suite and $groups. The checksum makes a changed list a new tree.
choose_tree() {
  suite=${suite:-trixie}
  cache=${FEM_RD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/fem-rd}
  case $cache in /*) ;; *) cache=$(pwd -P)/$cache ;; esac
  tree_name=$suite
  for group in $groups; do tree_name=$tree_name+$group; done
  contents=$(echo "$suite"; debian_packages run test $groups; trimmed_paths)
  stamp=$(echo "$contents" | cksum | cut -d' ' -f1)
  tree=$cache/$tree_name.$stamp
}
