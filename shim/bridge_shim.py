"""The Python side of Casparian: runs a plugin and streams its tables to the worker as Arrow.

Plain:     BRIDGE_SOCKET, BRIDGE_FILE_PATH, BRIDGE_JOB_ID, BRIDGE_FILE_VERSION_ID and either
           BRIDGE_PLUGIN_CODE (base64) or BRIDGE_PLUGIN_FILE in the environment: runs that one job.
           Exit code 0 if it sent its end frame, else 1.
Template:  `python bridge_shim.py --template [--groups=DESCRIPTOR]`, see bridge_template.py.

Standard library and pyarrow only: it runs in the environment of whatever plugin there is.
"""

import sys
import time

_STARTED_S = time.monotonic()

import base64
import os

from bridge_connection import Cancellation, Connection
from bridge_frames import error_frame

PLAIN_NAME = "plugin"


def run_template(groups: "int | None"):
    _close_all_but(groups)
    import bridge_warming
    from bridge_groups import MemoryGroups
    from bridge_template import Template

    _hide_own_folder()
    template = Template(_STARTED_S, None if groups is None else MemoryGroups(groups))
    bridge_warming.warm()
    template.run()


def _close_all_but(kept: "int | None"):
    for descriptor in range(3, 256):
        if descriptor != kept:
            os.closerange(descriptor, descriptor + 1)
    if kept is not None:
        os.set_inheritable(kept, False)


def run_plain() -> int:
    cancellation = Cancellation()
    cancellation.install()
    connection = Connection(os.environ["BRIDGE_SOCKET"], cancellation)
    try:
        from bridge_child import OutputPipes
        from bridge_plugin import Job, Plugin
        from bridge_session import Session

        _hide_own_folder()
        plugin = Plugin(*_plain_code())
        job = Job(
            file_path=os.environ["BRIDGE_FILE_PATH"],
            job_id=int(os.environ.get("BRIDGE_JOB_ID", 0)),
            file_version_id=int(os.environ.get("BRIDGE_FILE_VERSION_ID", 0)),
        )
    except (ImportError, KeyError, ValueError, OSError) as error:
        connection.send(error_frame(f"Cannot start the plugin: {type(error).__name__}: {error}"))
        return 1
    session = Session(connection, cancellation, OutputPipes().become_output())
    return 0 if session.run(plugin, job) else 1


def _plain_code() -> "tuple[str, bytes, str]":
    path = os.environ.get("BRIDGE_PLUGIN_FILE")
    if path is None:
        return PLAIN_NAME, base64.b64decode(os.environ["BRIDGE_PLUGIN_CODE"]), f"{PLAIN_NAME}.py"
    with open(path, "rb") as file:
        return PLAIN_NAME, file.read(), path


def _hide_own_folder():
    """Everything of the shim is imported by now; its modules must not stand in a plugin's way."""
    del sys.path[0]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--template"]:
        sys.exit(run_template(*[int(word.removeprefix("--groups=")) for word in sys.argv[2:]] or [None]))
    sys.exit(run_plain())
