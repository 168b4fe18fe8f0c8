"""A forked child: from the moment after the fork to its first request.

It is the leader of a session of its own, and the first process of a PID namespace of its own where the
template could make one: the kernel then ends all its descendants with it, however they detached.
"""

import ctypes
import faulthandler
import fcntl
import json
import os
import resource
import signal
import sys
import traceback

from bridge_connection import Cancellation, Cancelled, Connection
from bridge_frames import utf8
from bridge_logs import STDERR, STDOUT
from bridge_processes import adopt_orphans
from bridge_session import Session, serve
from bridge_topics import Reached

PR_SET_PDEATHSIG = 1
# Of -1000 to 1000: where the host's memory ends, the kernel ends a plugin and not its worker.
OOM_SCORE = b"800"
PIPE_BYTES = 1024 * 1024

_LIBC = ctypes.CDLL(None, use_errno=True)


class OutputPipes:
    """The pipes behind a child's descriptors 1 and 2. The template keeps the reading ends as well: what
    a child wrote the moment before it died (a crash report, say) is read there."""

    def __init__(self):
        self.out_reader, self.out_writer = os.pipe()
        self.err_reader, self.err_writer = os.pipe()
        for descriptor in (self.out_reader, self.err_reader):
            os.set_blocking(descriptor, False)
        for descriptor in (self.out_writer, self.err_writer):
            _widen(descriptor)

    def become_output(self) -> "dict[int, int]":
        """In the child. Returns the readers as OutputPump wants them."""
        os.dup2(self.out_writer, STDOUT)
        os.dup2(self.err_writer, STDERR)
        self.close_writers()
        return {self.out_reader: STDOUT, self.err_reader: STDERR}

    def close_writers(self):
        os.close(self.out_writer)
        os.close(self.err_writer)

    def close_readers(self):
        os.close(self.out_reader)
        os.close(self.err_reader)

    def rest(self, bytes_max: int) -> str:
        """What nobody has read so far, its end if it is long."""
        text = b"".join(_available(reader) for reader in (self.out_reader, self.err_reader))
        return text[-bytes_max:].decode("utf-8", "replace")


def _widen(descriptor: int):
    """C code that prints while it holds the interpreter's lock blocks the thread that would read it."""
    try:
        fcntl.fcntl(descriptor, getattr(fcntl, "F_SETPIPE_SZ", 1031), PIPE_BYTES)
    except OSError:
        pass  # the user's share of pipe memory is used up: the usual 64 KiB must do


def _available(reader: int) -> bytes:
    try:
        return os.read(reader, PIPE_BYTES)
    except BlockingIOError:
        return b""


def run_child(child: str, socket_path: str, directory: str, pipes: OutputPipes, reached: Reached):
    """Serves the worker at `socket_path` until it closes the connection. Never returns."""
    status = 1
    try:
        readers = pipes.become_output()
        _detach(directory)
        status = _serve(child, socket_path, readers, reached)
    except Cancelled:
        status = 0
    except ConnectionError as error:
        os.write(STDERR, utf8(f"Connection to the worker lost: {error}\n"))
    except BaseException:
        os.write(STDERR, utf8(traceback.format_exc()))
    finally:
        os._exit(status)


def _detach(directory: str):
    os.setsid()
    # Without this a child would outlive a template that was killed.
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    adopt_orphans()
    _die_first()
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    os.chdir(directory)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable(STDERR, all_threads=False)
    _reseed()


def _die_first():
    """Before anything else of the host, and at once: a core dump of 2 GiB takes seconds."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
            file.write(OOM_SCORE)
    except OSError:
        pass  # no /proc, or a host that allows it to nobody: then the kernel judges by size alone


def _reseed():
    """All children are forks of one process and would draw the same numbers (Python reseeds its own)."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(int.from_bytes(os.urandom(4), "little"))


def _serve(child: str, socket_path: str, readers: "dict[int, int]", reached: Reached) -> int:
    cancellation = Cancellation()
    cancellation.install()
    connection = Connection(socket_path, cancellation)
    connection.send(utf8(json.dumps({"child": child}) + "\n"))
    serve(Session(connection, cancellation, readers, reached), connection)
    return 0
