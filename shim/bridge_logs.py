"""What a plugin prints, as log frames: whole lines, in order, bounded.

Python's own output (print, warnings, logging) is caught in sys.stdout and sys.stderr, so its order is
kept. What goes straight to descriptors 1 and 2 (C code, child processes) arrives by two pipes that a
thread reads. A line leaves at once, so that it is there if the process dies the moment after; only
when many come within a short time are they gathered into larger frames.
"""

import codecs
import io
import logging
import os
import select
import threading
import time

from bridge_frames import log_frame, utf8

STDOUT, STDERR = 1, 2
LEVEL_OF = {STDOUT: 0, STDERR: 1}
WARNING_LEVEL = 4

MESSAGE_BYTES_MAX = 64 * 1024
JOB_BYTES_MAX = 10 * 1024 * 1024
# What a message takes beside its text, on its way and in the sentinel's store: it counts as well, or a
# log of empty lines would have no bound.
MESSAGE_COST_BYTES = 32
BURST_S = 0.05
BURST_FRAMES_MAX = 64
# A process that the plugin left behind may write faster than it is read; a drain must still end.
DRAIN_BYTES_MAX = 4 * 1024 * 1024


class LogSink:
    """Gathers text of one level at a time and sends it as frames, at most so many bytes a job."""

    def __init__(self, connection):
        self._connection = connection
        self._lock = threading.RLock()
        self._level = 0
        self._parts = []
        self._chars = 0
        self._burst_start_s = 0.0
        self._burst_frames = 0
        self._bytes_max = self._bytes_left = JOB_BYTES_MAX
        self._is_dropping = False
        self._broken_lines = set()
        self.on_late = lambda: None
        self.detached = False
        os.register_at_fork(after_in_child=self._detach)

    def start_job(self, bytes_max: int = JOB_BYTES_MAX):
        self._bytes_max = self._bytes_left = bytes_max
        self._is_dropping = False
        self._broken_lines.clear()

    def write(self, level: int, text: str):
        if self._is_dropping:
            return
        with self._lock:
            if level != self._level:
                self.flush()
                self._level = level
            self._parts.append(text)
            self._chars += len(text)
            if self._chars >= MESSAGE_BYTES_MAX:
                self.flush()
            elif text.endswith("\n"):
                self._flush_line()

    def flush(self):
        """Sends what is gathered, even half a line."""
        with self._lock:
            text = self._take()
            if not text:
                return
            if self._level in self._broken_lines:  # its line break, at last
                text = text.removeprefix("\n")
                self._broken_lines.discard(self._level)
            if text:
                if not text.endswith("\n"):
                    self._broken_lines.add(self._level)
                # More characters than bytes are left are never sent, so they need not be encoded.
                self._send(utf8(text[: max(0, self._bytes_left) + 1]))

    def flush_lines(self):
        """Sends what is gathered up to its last line break."""
        with self._lock:
            lines, line_break, rest = self._take().rpartition("\n")
            self._parts = [lines, line_break]
            self.flush()
            self._parts, self._chars = [rest], len(rest)

    def _take(self) -> str:
        text = "".join(self._parts)
        self._parts, self._chars = [], 0
        return text

    def _flush_line(self):
        now_s = time.monotonic()
        if now_s - self._burst_start_s > BURST_S:
            self._burst_start_s, self._burst_frames = now_s, 0
        self._burst_frames += 1
        if self._burst_frames <= BURST_FRAMES_MAX:
            self.flush()
        elif self._burst_frames == BURST_FRAMES_MAX + 1:
            self.on_late()

    def _send(self, text: bytes):
        sent = text[: max(0, self._bytes_left)]
        self._is_dropping = len(sent) < len(text)
        frames = [log_frame(self._level, part) for part in _messages(sent)] if sent else []
        self._bytes_left -= len(sent) + MESSAGE_COST_BYTES * len(frames)
        if self._is_dropping:
            frames.append(log_frame(WARNING_LEVEL, utf8(truncated(self._bytes_max))))
        self._connection.send(*frames)

    def _detach(self):
        # In a process that the plugin forked: another thread may hold the lock for ever there.
        self._lock = threading.RLock()
        self._parts, self._chars = [], 0
        self.detached = True


def truncated(bytes_max: int) -> str:
    return (
        f"Log truncated as a job may print at most {bytes_max / (1 << 20):.4g} MiB: "
        "the rest of its output is dropped"
    )


def _messages(text: bytes):
    """Cuts after a line where one ends, never inside a character; the last line break goes."""
    while len(text) > MESSAGE_BYTES_MAX:
        cut = text.rfind(b"\n", 0, MESSAGE_BYTES_MAX) + 1 or _character_start(text)
        yield text[:cut].removesuffix(b"\n")
        text = text[cut:]
    yield text.removesuffix(b"\n")


def _character_start(text: bytes) -> int:
    cut = MESSAGE_BYTES_MAX
    while text[cut] & 0xC0 == 0x80 and cut > MESSAGE_BYTES_MAX - 4:
        cut -= 1
    return cut


class LogStream(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, sink: LogSink, descriptor: int):
        self._sink = sink
        self._descriptor = descriptor
        self._level = LEVEL_OF[descriptor]
        self.buffer = _LogBytes(self)

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self._sink.detached:
            os.write(self._descriptor, utf8(text))
        else:
            self._sink.write(self._level, text)
        return len(text)

    def flush(self):
        self._sink.flush()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def reconfigure(self, **_options):
        """Programs set an encoding here; whatever they set, frames are UTF-8."""


class _LogBytes(io.BufferedIOBase):
    """`sys.stdout.buffer`: bytes that are text in UTF-8, more or less."""

    def __init__(self, stream: LogStream):
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def write(self, data) -> int:
        self._stream.write(self._decode(bytes(data)))
        return len(data)

    def flush(self):
        self._stream.flush()

    def writable(self) -> bool:
        return True


class LogRecords(logging.Handler):
    """Sends the records of `logging` with their own levels."""

    def __init__(self, sink: LogSink):
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord):
        try:
            text = self.format(record)
        except Exception:
            self.handleError(record)
            return
        name = "" if record.name == "root" else f"{record.name}: "
        self._sink.write(_level_of(record.levelno), f"{name}{text}\n")


def _level_of(severity: int) -> int:
    if severity >= logging.ERROR:
        return 5
    if severity >= logging.WARNING:
        return WARNING_LEVEL
    return 3 if severity >= logging.INFO else 2


class OutputPump:
    """Reads the pipes behind descriptors 1 and 2 in a thread, and sends bursts that were held back."""

    def __init__(self, sink: LogSink, readers: "dict[int, int]"):
        """`readers`: descriptor to read, set to non-blocking → 1 or 2."""
        self._sink = sink
        self._lock = threading.Lock()
        self._pipes = {
            reader: (LEVEL_OF[target], codecs.getincrementaldecoder("utf-8")("replace").decode)
            for reader, target in readers.items()
        }
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_writer, False)
        sink.on_late = self._wake

    def start(self):
        threading.Thread(target=self._run, name="bridge-output", daemon=True).start()

    def drain(self):
        """Takes what is in the pipes now; does not wait for more."""
        with self._lock:
            for reader, (level, decode) in self._pipes.items():
                self._drain_one(reader, level, decode)

    def _drain_one(self, reader: int, level: int, decode):
        for _ in range(DRAIN_BYTES_MAX // MESSAGE_BYTES_MAX):
            try:
                data = os.read(reader, MESSAGE_BYTES_MAX)
            except BlockingIOError:
                return
            if not data:
                return
            self._sink.write(level, decode(data))

    def _wake(self):
        try:
            os.write(self._wake_writer, b"!")
        except BlockingIOError:
            pass  # awake already

    def _run(self):
        poller = select.poll()
        for descriptor in (*self._pipes, self._wake_reader):
            poller.register(descriptor, select.POLLIN)
        while True:
            for descriptor, events in poller.poll():
                if descriptor == self._wake_reader:
                    os.read(self._wake_reader, 4096)
                    time.sleep(BURST_S)
                    self._sink.flush_lines()
                elif events & select.POLLIN:
                    self.drain()
                else:
                    poller.unregister(descriptor)  # the plugin closed the other end
