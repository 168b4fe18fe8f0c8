#!/bin/sh
# The one program a worker is allowed to start (its --allow-run holds this absolute path and no other),
# so everything else is started through it:
#
#   launch.sh run [NAME=VALUE]... CMD [ARG]...
#       CMD with exactly that environment.
#   launch.sh task [NAME=VALUE]... CMD [ARG]...
#       The same in a PID namespace of its own, if there may be one: it ends with all that it started.
#   launch.sh sandbox bwrap|unshare [KIND PATH]... -- [NAME=VALUE]... CMD [ARG]...
#       The same in user, network, PID, IPC, UTS and mount namespaces of its own: no network, no
#       home, and of the host's files the system's programs and libraries and only these:
#         ro PATH | rw PATH       to read; to read and write
#         hide PATH               an empty folder in place of what lies below a visible one
#         link PATH TARGET        a symbolic link
#         cd PATH                 where CMD starts
#       worker/sandbox.ts gives real paths, and parents before what lies below them.
#   launch.sh find NAME           prints where NAME is on the PATH
#   launch.sh groups              prints a folder in which control groups may be made, or says why there
#                                 is none; the worker has a group of its own in it from then on
#   launch.sh memory              prints how many bytes of memory the host has, or our control group
#   launch.sh end GROUP           kills a process group (a worker may not send signals by number)
#
# In front of any of these may stand `for PID`: the worker's own, for what follows; and behind that
# `in DIR`: what follows finds that folder open as its descriptor 3.
#
# What runs here dies with the worker, however the worker dies: this process gets SIGKILL with its
# parent, and a PID namespace ends with its first process. A worker that was dead before that was
# arranged is found out by its PID: then nothing is started.
set -eu
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

SYSTEM_DIRS="usr bin sbin lib lib32 lib64 libx32 nix/store gnu/store"
# What programs read in /etc to find libraries, names and the local time; no keys, no configuration.
SYSTEM_FILES="alternatives fonts group ld.so.cache ld.so.conf ld.so.conf.d localtime mime.types
  nsswitch.conf passwd timezone"
DEVICES="null zero full random urandom"
# Of the host's memory, for each folder that lies in it: nobody else counts what a plugin writes there.
MEMORY_FOLDER_PERCENT=5

fail() {
  echo "launch.sh: $*" >&2
  exit 126
}

fail_kind() { fail "Cannot lay out the sandbox as a path must be ro, rw, hide, link or cd: got $1"; }

# Replaces this shell by a command that dies with its parent. Busybox's setpriv can not do that; the
# end of its standard input is then all that tells a Python template of its worker's death.
exec_tied() {
  if setpriv --pdeathsig KILL true 2>/dev/null; then
    exec setpriv --pdeathsig KILL "$0" tied "$parent" "$@"
  fi
  exec "$@"
}

# A parent that died before the tie was made will send no signal any more.
tied() {
  if [ "$PPID" != "$1" ]; then exit 137; fi
  shift
  exec "$@"
}

# The first process of a PID namespace takes all others with it, also those that left its group.
exec_task() {
  apart="unshare --user --map-current-user --pid --fork --kill-child"
  if $apart true 2>/dev/null; then exec_tied $apart env -i "$@"; fi
  exec_tied env -i "$@"
}

# ---- bubblewrap -------------------------------------------------------------------------------

# Rewrites `[KIND PATH]... -- CMD` into bubblewrap's options. They go behind CMD first, for "$@" is the
# only list that a POSIX shell has; then CMD is rotated to the end.
sandbox_bwrap() {
  paths=0
  for word in "$@"; do
    if [ "$word" = -- ]; then break; fi
    paths=$((paths + 1))
  done
  command_words=$(($# - paths - 1))
  # Not the namespace of control groups: out of it no child could be put into a group of its own.
  set -- "$@" --unshare-user --unshare-ipc --unshare-pid --unshare-net --unshare-uts
  set -- "$@" --die-with-parent --cap-add CAP_SYS_ADMIN --hostname sandbox
  for dir in $SYSTEM_DIRS; do
    if [ -L "/$dir" ]; then set -- "$@" --symlink "$(readlink "/$dir")" "/$dir"
    elif [ -d "/$dir" ]; then set -- "$@" --ro-bind "/$dir" "/$dir"; fi
  done
  for file in $SYSTEM_FILES; do set -- "$@" --ro-bind-try "/etc/$file" "/etc/$file"; done
  set -- "$@" --proc /proc --dev /dev
  for dir in /tmp /dev/shm; do
    if bwrap --help 2>&1 | grep -q -e --size; then # since 0.7
      set -- "$@" --size $(($(print_memory) / 100 * MEMORY_FOLDER_PERCENT))
    fi
    set -- "$@" --tmpfs "$dir"
  done
  while [ "$1" != -- ]; do
    case $1 in
      ro) set -- "$@" --ro-bind "$2" "$2" ;;
      rw) set -- "$@" --bind "$2" "$2" ;;
      hide) set -- "$@" --tmpfs "$2" ;;
      cd) set -- "$@" --chdir "$2" ;;
      link)
        set -- "$@" --symlink "$3" "$2"
        shift
        ;;
      *) fail_kind "$1" ;;
    esac
    shift 2
  done
  shift
  set -- "$@" --remount-ro / -- env -i
  while [ "$command_words" -gt 0 ]; do
    set -- "$@" "$1"
    shift
    command_words=$((command_words - 1))
  done
  exec_tied bwrap "$@"
}

# ---- unshare ----------------------------------------------------------------------------------

# The new root is built on /sys: every Linux has that folder, no plugin reads it, and covering it
# hides nothing that is still to be shown (as covering /tmp or /mnt might).
ROOT=/sys

# A bind mount ignores `ro` until it is remounted, and so does every mount below it.
seal() {
  while read -r _ _ _ _ point _; do
    case $point in *\\*) point=$(printf '%b' "$point") ;; esac # a space is written \040 there
    case $point in "$1" | "$1"/*) mount -o remount,bind,ro "$point" ;; esac
  done </proc/self/mountinfo
}

show() { # ro|rw PATH
  if [ -d "$2" ]; then mkdir -p "$ROOT$2"
  elif [ ! -e "$ROOT$2" ]; then
    mkdir -p "$ROOT${2%/*}"
    : >"$ROOT$2"
  fi
  mount --rbind "$2" "$ROOT$2"
  if [ "$1" = ro ]; then seal "$ROOT$2"; fi
}

show_paths() {
  while [ "$1" != -- ]; do
    case $1 in
      ro | rw) show "$1" "$2" ;;
      hide) mount -t tmpfs -o size=64k,mode=755 tmpfs "$ROOT$2" ;;
      cd) ;;
      link)
        mkdir -p "$ROOT${2%/*}"
        ln -s "$3" "$ROOT$2"
        shift
        ;;
      *) fail_kind "$1" ;;
    esac
    shift 2
  done
}

show_system() {
  for dir in $SYSTEM_DIRS; do
    if [ -L "/$dir" ]; then ln -s "$(readlink "/$dir")" "$ROOT/$dir"
    elif [ -d "/$dir" ]; then show ro "/$dir"; fi
  done
  mkdir -p "$ROOT/etc" "$ROOT/proc" "$ROOT/dev/shm" "$ROOT/tmp"
  # Copies of what is there: one process where bind mounts would take two for each file.
  (cd /etc && cp -RP $SYSTEM_FILES "$ROOT/etc") 2>/dev/null || true
  mount -t proc -o nosuid,nodev,noexec proc "$ROOT/proc"
  for device in $DEVICES; do show rw "/dev/$device"; done
  ln -s /proc/self/fd "$ROOT/dev/fd"
  for dir in /dev/shm /tmp; do
    mount -t tmpfs -o "nosuid,nodev,mode=1777,size=$MEMORY_FOLDER_PERCENT%" tmpfs "$ROOT$dir"
  done
}

# The first process of the new namespaces: lays out its files, lets go of the host's, becomes CMD.
inside() {
  mount -t tmpfs -o mode=755 tmpfs "$ROOT"
  show_system
  show_paths "$@"
  mkdir "$ROOT/.host"
  cd "$ROOT"
  pivot_root . .host
  umount -l /.host
  rmdir /.host
  mount -o remount,bind,ro /
  directory=/
  while [ "$1" != -- ]; do
    case $1 in
      cd) directory=$2 ;;
      link) shift ;;
    esac
    shift 2
  done
  shift
  cd "$directory"
  exec env -i "$@"
}

# ---- memory -----------------------------------------------------------------------------------

# A container sees all of the host's memory in /proc/meminfo; its own limit stands in its control group
# or in one around it. Two versions of these live side by side: 2 has one tree, 1 a tree for memory.
print_memory() { # [GROUPS [ROOT]]: what a test has in place of the kernel's own
  limit=$(sysctl -n hw.memsize 2>/dev/null || echo 0) # on a Mac
  while [ -r /proc/meminfo ] && read -r name value _; do
    if [ "$name" = MemTotal: ]; then limit=$((value * 1024)); fi
  done </proc/meminfo
  root=${2:-/sys/fs/cgroup}
  while IFS=: read -r _ controllers group; do
    case $controllers in
      '') lower_by "$root" "$group" memory.max ;;
      memory) lower_by "$root/memory" "$group" memory.limit_in_bytes ;;
    esac
  done <"${1:-/proc/self/cgroup}"
  echo "$limit"
}

lower_by() { # TREE GROUP FILE
  group=$2
  while :; do
    if [ -r "$1$group/$3" ] && read -r bytes <"$1$group/$3" && [ "$bytes" != max ] &&
      [ "$bytes" -lt "$limit" ]; then limit=$bytes; fi
    case $group in '' | /) return ;; esac
    group=${group%/*}
  done
}

# ---- control groups ---------------------------------------------------------------------------

# A group that has groups of its own with a limit may hold no process itself: ours go into this one.
OWN=casparian

prepare_groups() { # [GROUPS [ROOT]]: what a test has in place of the kernel's own
  root=${2:-/sys/fs/cgroup}
  if [ $# -lt 2 ] && [ -d "$root/unified" ]; then root=$root/unified; fi
  group=none
  while IFS=: read -r _ controllers path; do
    if [ -z "$controllers" ]; then group=$path; fi
  done <"${1:-/proc/self/cgroup}"
  group=${group%"/$OWN"} # a worker that is started again begins where the one before was put
  dir=$root${group%/}
  if ! [ -r "$dir/cgroup.controllers" ]; then refuse "the kernel gives none of version 2 in $root"; fi
  read -r controllers <"$dir/cgroup.controllers" || controllers=
  case " $controllers " in
    *" memory "*) ;;
    *) refuse "$dir must have the controller memory: it has '$controllers'" ;;
  esac
  if ! is_delegated "$dir" "$group"; then
    refuse "$dir must be delegated to this user: run the worker as a unit with Delegate=yes"
  fi
  mkdir -p "$dir/$OWN" || refuse "no group can be made in $dir"
  while read -r pid; do
    echo "$pid" >"$dir/$OWN/cgroup.procs" || true # it ended meanwhile
  done <"$dir/cgroup.procs"
  echo +memory >"$dir/cgroup.subtree_control" || refuse "$dir holds processes that are not ours"
  for left in "$dir/$OWN"-*; do rmdir "$left" || true; done # what is in use can not be removed
  echo "$dir"
} 2>/dev/null

# What belongs to somebody else must be left alone even where we may write to it. Service managers mark
# what they delegate; a group that its user may write to and not the one above it was given to that user;
# and the topmost group of a container is the container's, which the kernel's own is not: it has no type.
is_delegated() { # DIR GROUP
  if ! [ -w "$1/cgroup.procs" ] || ! [ -w "$1/cgroup.subtree_control" ]; then return 1; fi
  if [ "${2%/}" = "" ]; then [ -e "$1/cgroup.type" ]; return; fi
  for mark in user.delegate trusted.delegate; do
    if [ "$(getfattr --only-values -n "$mark" "$1" 2>/dev/null)" = 1 ]; then return 0; fi
  done
  [ "$(id -u)" != 0 ] && ! [ -w "$1/../cgroup.procs" ]
}

refuse() {
  echo "$*" >&9
  exit 1
}

# ---- commands ---------------------------------------------------------------------------------

parent=$PPID
if [ "${1:-}" = for ]; then
  parent=$2
  shift 2
fi
if [ "${1:-}" = in ]; then
  exec 3<"$2"
  shift 2
fi
mode=${1:-}
if [ $# -gt 0 ]; then shift; fi
case $mode in
  run) exec_tied env -i "$@" ;;
  task) exec_task "$@" ;;
  tied) tied "$@" ;;
  sandbox)
    way=$1
    shift
    case $way in
      bwrap) sandbox_bwrap "$@" ;;
      unshare) exec_tied unshare -Urpfmniu --kill-child "$0" inside "$@" ;;
      *) fail "Cannot make a sandbox as the way must be bwrap or unshare: got $way" ;;
    esac
    ;;
  inside) inside "$@" ;;
  groups) prepare_groups "$@" 9>&2 ;;
  memory) print_memory "$@" ;;
  find) command -v -- "$1" ;;
  end) kill -s KILL -- "-$1" ;; # dash takes `--` with this spelling only
  *) fail "Cannot launch as the command must be run, task, sandbox, find, groups, memory or end: got '$mode'" ;;
esac
