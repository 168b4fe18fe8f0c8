"""Frames of the bridge as bytes: what the shim sends to its worker, and the requests it gets.

Everything is big endian; a frame starts with a length, or with a mark above every legal length.
See PROTOCOL.md, "Bridge", and tests/vectors/bridge_frames.json, which holds both sides to this table.
"""

import json
import struct

ERROR_MARK = 0xFFFFFFFF
LOG_MARK = 0xFFFFFFFE
TOPIC_MARK = 0xFFFFFFFD
PROGRESS_MARK = 0xFFFFFFFC

END_FRAME = bytes(4)
ERROR_BYTES_MAX = 64 * 1024
REQUEST_BYTES_MAX = 64 * 1024 * 1024

_LENGTH = struct.Struct(">I")
_TEXT = struct.Struct(">II")
_LOG = struct.Struct(">IBI")


def batch_header(frame_bytes: int) -> bytes:
    """What goes before an Arrow IPC stream of `frame_bytes` bytes."""
    return _LENGTH.pack(frame_bytes)


def error_frame(message: str) -> bytes:
    return _text_frame(ERROR_MARK, _middle_cut(utf8(message), ERROR_BYTES_MAX))


def log_frame(level: int, text: bytes) -> bytes:
    """`level`: 0 stdout, 1 stderr, 2 debug, 3 info, 4 warning, 5 error; `text` is UTF-8."""
    return _LOG.pack(LOG_MARK, level, len(text)) + text


def topic_frame(topic: str) -> bytes:
    return _text_frame(TOPIC_MARK, utf8(topic))


def progress_frame(fields: dict) -> bytes:
    return _text_frame(PROGRESS_MARK, utf8(json.dumps(fields, separators=(",", ":"))))


def utf8(text: str) -> bytes:
    """Any Python text as UTF-8: a lone surrogate (from a file name, say) is spelt out, not refused."""
    return text.encode("utf-8", "backslashreplace")


def _text_frame(mark: int, text: bytes) -> bytes:
    return _TEXT.pack(mark, len(text)) + text


def _middle_cut(text: bytes, bytes_max: int) -> bytes:
    """The beginning and the end count most in a traceback, so what is too long loses its middle."""
    if len(text) <= bytes_max:
        return text
    half = bytes_max // 2 - 32
    cut = b"\n[%d bytes left out]\n" % (len(text) - 2 * half)
    whole = text[:half] + cut + text[-half:]
    return whole.decode("utf-8", "ignore").encode("utf-8")


def read_request(receive) -> "dict | None":
    """Reads `[length][JSON]`. `receive(n)` gives 1 to n bytes, or none at the end of the stream.

    Returns None at the end of the stream. Raises ConnectionError if that comes inside a request and
    ValueError if the length is over the bound.
    """
    head = _read_exactly(receive, 4, at_start=True)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > REQUEST_BYTES_MAX:
        raise ValueError(
            f"Cannot read request as it must have at most {REQUEST_BYTES_MAX} bytes: got {length}"
        )
    return json.loads(_read_exactly(receive, length))


def _read_exactly(receive, length: int, at_start: bool = False) -> "bytes | None":
    parts, missing = [], length
    while missing > 0:
        part = receive(missing)
        if not part:
            if at_start and missing == length:
                return None
            raise ConnectionError(f"Cannot read request as the stream ended {missing} bytes early")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
