"""An exception as its plugin's author wants to read it: only the lines of the plugin's own file."""

import errno
import re
import traceback

# The module that a plugin's code is run as; its own exceptions would be named with it.
MODULE_NAME = "casparian_plugin"
FRAMES_MAX = 40

_MODULE_PREFIX = re.compile(rf"^{MODULE_NAME}\.", re.MULTILINE)


def describe(error: BaseException, file_name: str) -> str:
    """The traceback, trimmed; its last line is "Type: message". Never raises."""
    try:
        return _describe(error, file_name)
    except Exception:
        return type(error).__qualname__


def _describe(error: BaseException, file_name: str) -> str:
    if isinstance(error, SystemExit):
        error = _with_place(SystemExit(_exit_message(error)), error)
    described = traceback.TracebackException.from_exception(error, compact=True)
    _trim(described, file_name)
    _add_place(described, error)
    text = _MODULE_PREFIX.sub("", "".join(described.format()).rstrip("\n"))
    # Whoever reads the first word must see that memory was the cause, wherever it ran out.
    return f"MemoryError\n{text}" if _is_want_of_memory(error) else text


def _is_want_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def _exit_message(error: SystemExit) -> str:
    code = "" if error.code is None else repr(error.code)
    return f"The plugin called sys.exit({code}) before its end"


def _with_place(new: BaseException, old: BaseException) -> BaseException:
    return new.with_traceback(old.__traceback__)


def _trim(described: traceback.TracebackException, file_name: str):
    """Keeps the plugin's frames, here and along the chain of causes."""
    frames = [frame for frame in described.stack or () if frame.filename == file_name]
    if len(frames) > FRAMES_MAX:
        frames = frames[: FRAMES_MAX // 2] + frames[-FRAMES_MAX // 2 :]
    described.stack = traceback.StackSummary.from_list(frames) if frames else None
    linked = [described.__cause__, described.__context__, *(getattr(described, "exceptions", None) or ())]
    for other in linked:
        if other is not None:
            _trim(other, file_name)


def mark_place(error: BaseException, file_name: str, generator):
    """Remembers where a generator stood: a fault in what it yielded shows no line of the plugin."""
    frame = getattr(generator, "gi_frame", None)
    if frame is not None and hasattr(error, "__dict__"):
        error.bridge_place = (file_name, frame.f_lineno, frame.f_code.co_name)


def _add_place(described: traceback.TracebackException, error: BaseException):
    place = getattr(error, "bridge_place", None)
    if place is not None and described.stack is None:
        described.stack = traceback.StackSummary.from_list([traceback.FrameSummary(*place)])
