"""The socket to the worker, and the one rule about it: a frame is sent whole or not at all.

SIGTERM asks a job to stop by raising Cancelled in the main thread, wherever that is just then. Amid a
frame it would leave half of one behind, so sending is *shielded*: a signal that comes meanwhile is
raised when the shield is left.
"""

import os
import signal
import socket
import threading

from bridge_frames import read_request

# sendmsg() takes at most this many parts on Linux (IOV_MAX).
PARTS_MAX = 1024


class Cancelled(BaseException):
    """Not an Exception, so that a plugin's `except Exception` does not swallow it."""


class Cancellation:
    """A context manager: inside it no Cancelled is raised. One signal raises once, later ones never."""

    def __init__(self):
        self._main_thread = threading.get_ident()
        self._depth = 0
        self._pending = False
        self.asked = False

    def install(self):
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, _number, _frame):
        if self.asked:
            return
        self.asked = True
        if self._depth == 0:
            raise Cancelled
        self._pending = True

    def __enter__(self):
        if threading.get_ident() == self._main_thread:
            self._depth += 1

    def __exit__(self, *_error):
        if threading.get_ident() != self._main_thread:
            return
        self._depth -= 1
        if self._pending and self._depth == 0:
            self._pending = False
            raise Cancelled


class Connection:
    """Sends frames from any thread; reads requests in the main one."""

    def __init__(self, path: str, cancellation: Cancellation):
        self._cancellation = cancellation
        self._lock = threading.Lock()
        self._held = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)
        # A process that the plugin forks must neither write frames nor keep the connection open.
        os.register_at_fork(after_in_child=self._socket.close)

    def send(self, *parts, more=False):
        """Sends these buffers one behind the other; blocks while the worker does not read.

        With `more` they wait for the next send, so that one write carries both.
        """
        with self._cancellation, self._lock:
            if more:
                self._held.extend(parts)
                return
            if self._held:
                parts, self._held = (*self._held, *parts), []
            for start in range(0, len(parts), PARTS_MAX):
                self._send_all(list(map(memoryview, parts[start : start + PARTS_MAX])))

    def _send_all(self, parts: "list[memoryview]"):
        while parts:
            sent = self._socket.sendmsg(parts)
            while parts and sent >= len(parts[0]):
                sent -= len(parts.pop(0))
            if sent:
                parts[0] = parts[0][sent:]

    def read_request(self) -> "dict | None":
        return read_request(self._socket.recv)
