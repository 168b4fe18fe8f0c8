"""Which processes belong to which, by /proc alone: no package and no privilege is needed."""

import ctypes
import os
import signal

PR_SET_CHILD_SUBREAPER = 36

_LIBC = ctypes.CDLL(None, use_errno=True)


def sees_itself() -> bool:
    """Whether /proc is about the namespace that this process is in: elsewhere its numbers mean others."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False


def adopt_orphans():
    """From now on a descendant whose parent dies becomes a child of this process, not of the host's
    first one: so a double fork with setsid does not hide it, also where there is no PID namespace."""
    _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children_of(pid: int) -> "list[int]":
    """Its children, those that have ended but for their report among them; none if it is gone."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    return [child for thread in threads for child in _children_of_thread(pid, thread)]


def _children_of_thread(pid: int, thread: str) -> "list[int]":
    try:
        return list(map(int, read_whole(f"/proc/{pid}/task/{thread}/children").split()))
    except OSError:
        return []


def tree_of(pid: int) -> "list[int]":
    """The process and all its descendants, parents first."""
    tree = [pid]
    for member in tree:
        tree += children_of(member)
    return tree


def end_tree(pid: int):
    for member in tree_of(pid):
        end_process(member)


def end_process(pid: int):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def read_whole(path: str) -> bytes:
    """A file of /proc, in one read: it is made anew for each."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 65536)
    finally:
        os.close(descriptor)
