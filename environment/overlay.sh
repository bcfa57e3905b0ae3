# Started by enter.sh in a mount namespace of its own: puts the tree's /usr and /etc in the place of
# this machine's, for the command only, then becomes the command. No process stands in between, so
# terminal, signals and exit status are the command's own.
# usage: sh overlay.sh TREE "FILE OF /ETC..." COMMAND...
set -eu
tree=$1 host_files=$2
shift 2

mount --bind "$tree" "$tree"
mount -o remount,bind,ro "$tree"
for file in $host_files; do
  [ ! -f "/etc/$file" ] || mount --bind "/etc/$file" "$tree/etc/$file"
done
mount --rbind "$tree/etc" /etc
mount --rbind "$tree/usr" /usr # last: from here on programs are those of the tree
exec "$@"
