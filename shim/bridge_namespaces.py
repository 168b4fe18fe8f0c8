"""A PID namespace of its own for each fork, by one fork instead of the usual two.

unshare(CLONE_NEWPID) concerns the children to come; setns() to the process's own namespace takes it
back. In between, exactly one child is forked, and it is the first process of the new namespace.
"""

import ctypes
import os
import struct

CLONE_NEWPID = 0x20000000
CAP_SYS_ADMIN = 21
PR_CAPBSET_DROP = 24
_CAPABILITY_VERSION = 0x20080522

_LIBC = ctypes.CDLL(None, use_errno=True)


class PidNamespaces:
    """Whether this process may make them is found out by trying, once."""

    def __init__(self):
        self._own = _open_own_namespace()
        self.available = self._own is not None and self._enter_new() and self._leave()

    def fork(self) -> int:
        """As os.fork(), the child in a new namespace. Raises OSError if none can be made any more."""
        if not self._enter_new():
            raise OSError(ctypes.get_errno(), "Cannot make a PID namespace")
        try:
            pid = os.fork()
        except OSError:
            self._leave_or_die()
            raise
        if pid == 0:
            drop_sys_admin()
        else:
            self._leave_or_die()
        return pid

    def close(self):
        if self._own is not None:
            os.close(self._own)

    def _enter_new(self) -> bool:
        return _LIBC.unshare(CLONE_NEWPID) == 0

    def _leave(self) -> bool:
        return _LIBC.setns(self._own, CLONE_NEWPID) == 0

    def _leave_or_die(self):
        # Staying would put every later fork into one child's namespace.
        if not self._leave():
            os._exit(70)


def _open_own_namespace() -> "int | None":
    try:
        return os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def drop_sys_admin():
    """The capability that made the namespace must not reach the plugin: it could mount and escape."""
    _LIBC.prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN)
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    sets = ctypes.create_string_buffer(24)
    if _LIBC.capget(header, sets) != 0:
        return
    low = list(struct.unpack("=6I", sets.raw))
    for at in range(3):  # effective, permitted, inheritable of the first 32 capabilities
        low[at] &= ~(1 << CAP_SYS_ADMIN)
    _LIBC.capset(header, struct.pack("=6I", *low))
