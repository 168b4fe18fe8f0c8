#!/bin/sh
# The first process of one of the lab's hosts, in namespaces of its own: lays out a root with nothing but
# what is listed, gives the old one up, says "ready" and stays.
#
#   host.sh NAME ROOT [ro|rw SOURCE PATH]... [link TARGET PATH]...
set -eu
echo "$1" >/proc/sys/kernel/hostname
root=$2
shift 2

mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/.old"
mount -t proc proc "$root/proc"
for device in null zero full random urandom; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
chmod 1777 "$root/tmp"

while [ $# -gt 0 ]; do
  mkdir -p "$root$(dirname "$3")"
  case $1 in
    link) ln -s "$2" "$root$3" ;;
    *)
      if [ -d "$2" ]; then mkdir -p "$root$3"; else : >"$root$3"; fi
      mount --bind "$2" "$root$3"
      if [ "$1" = ro ]; then mount -o remount,bind,ro "$root$3"; fi
      ;;
  esac
  shift 3
done

cd "$root"
pivot_root . .old
umount -l /.old
rmdir /.old
# Nobody else is there to reap what is left without a parent.
exec python3 -Ic 'import signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
while True: signal.pause()'
