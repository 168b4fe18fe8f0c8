"""The worker's side of the bridge for the tests: a socket, a frame reader, a template to steer."""

import base64
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

import pyarrow as pa

SHIM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bridge_shim.py")
# Nothing here takes a tenth of it; it only turns a hang into a failure.
PATIENCE_S = 60


@dataclass
class Outcome:
    """What one job sent, up to its end frame, its error frame or the end of the connection."""

    topics: dict = field(default_factory=dict)  # topic → list of batch frames
    logs: list = field(default_factory=list)  # (level, text)
    progress: list = field(default_factory=list)
    error: "str | None" = None
    ended: bool = False

    def table(self, topic: str = "output") -> pa.Table:
        return pa.concat_tables(pa.ipc.open_stream(frame).read_all() for frame in self.topics[topic])

    def text(self, level: int) -> "list[str]":
        return [text for logged, text in self.logs if logged == level]


def read_exactly(connection: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = connection.recv(min(length - len(data), 1 << 20))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


def read_frame(connection: socket.socket) -> dict:
    """One frame, in the words of tests/vectors/bridge_frames.json. Raises EOFError."""
    (mark,) = struct.unpack(">I", read_exactly(connection, 4))
    if mark == 0:
        return {"type": "end"}
    if mark < 0xFFFFFFFC:
        return {"type": "batch", "bytes": read_exactly(connection, mark)}
    level = read_exactly(connection, 1)[0] if mark == 0xFFFFFFFE else None
    (length,) = struct.unpack(">I", read_exactly(connection, 4))
    text = read_exactly(connection, length).decode()
    return {
        0xFFFFFFFF: {"type": "error", "message": text},
        0xFFFFFFFE: {"type": "log", "level": level, "text": text},
        0xFFFFFFFD: {"type": "topic", "topic": text},
        0xFFFFFFFC: {"type": "progress", "json": text},
    }[mark]


def read_outcome(connection: socket.socket, topic: str = "output") -> Outcome:
    outcome = Outcome()
    while not outcome.ended and outcome.error is None:
        try:
            frame = read_frame(connection)
        except (EOFError, ConnectionResetError):
            break
        if frame["type"] == "topic":
            topic = frame["topic"]
        elif frame["type"] == "batch":
            outcome.topics.setdefault(topic, []).append(frame["bytes"])
        elif frame["type"] == "log":
            outcome.logs.append((frame["level"], frame["text"]))
        elif frame["type"] == "progress":
            outcome.progress.append(json.loads(frame["json"]))
        elif frame["type"] == "error":
            outcome.error = frame["message"]
        else:
            outcome.ended = True
    return outcome


class StandInWorker:
    """A folder with a listening socket in it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="shim-")
        self.socket_path = os.path.join(self.folder, "b.sock")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.settimeout(PATIENCE_S)
        self._listener.bind(self.socket_path)
        self._listener.listen()

    def close(self):
        self._listener.close()
        shutil.rmtree(self.folder)

    def file(self, name: str, text: str = "") -> str:
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        return path

    def accept(self) -> socket.socket:
        connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE_S)
        return connection

    def run_plain(self, code: "str | bytes", file_path: str = "/", **environment) -> "tuple[Outcome, int]":
        """Runs the shim as a v4 worker would. Returns what it sent and its exit code."""
        code = code.encode() if isinstance(code, str) else code
        known = {"BRIDGE_SOCKET": self.socket_path, "BRIDGE_FILE_PATH": file_path}
        numbers = {"BRIDGE_JOB_ID": "5", "BRIDGE_FILE_VERSION_ID": "7"}
        if "BRIDGE_PLUGIN_FILE" not in environment:
            environment["BRIDGE_PLUGIN_CODE"] = base64.b64encode(code).decode()
        process = subprocess.Popen([sys.executable, SHIM], env={**known, **numbers, **environment})
        with self.accept() as connection:
            outcome = read_outcome(connection)
        return outcome, process.wait(PATIENCE_S)


class SteeredTemplate:
    """A running template and the answers that it gave and nobody asked for yet."""

    def __init__(self, worker: StandInWorker, groups: "str | None" = None):
        """`groups`: a folder of control groups to hand over."""
        self._worker = worker
        self._answers = []
        self._names = 0
        self._line = b""
        command = [sys.executable, SHIM, "--template"]
        passed = [] if groups is None else [os.open(groups, os.O_RDONLY)]
        self.process = subprocess.Popen(
            command + [f"--groups={descriptor}" for descriptor in passed],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            pass_fds=passed,
        )
        for descriptor in passed:
            os.close(descriptor)
        self.ready = self.answer("ready")

    def close(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")

    def answer(self, event: str, **wanted) -> dict:
        """The next answer of this kind, waiting for it."""
        while True:
            for answer in self._answers:
                if answer["event"] == event and wanted.items() <= answer.items():
                    self._answers.remove(answer)
                    return answer
            self._read_line()

    def _read_line(self):
        while b"\n" not in self._line:
            if not select.select([self.process.stdout], [], [], PATIENCE_S)[0]:
                raise TimeoutError("the template is silent")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise EOFError("the template is gone")
            self._line += data
        line, self._line = self._line.split(b"\n", 1)
        self._answers.append(json.loads(line))

    def fork(self, nested: bool = True) -> "SteeredChild":
        self._names += 1
        name = f"c{self._names}"
        self.tell(
            op="fork",
            child=name,
            socket=self._worker.socket_path,
            cwd=self._worker.folder,
            nested_pid=nested,
        )
        forked = self.answer("forked", child=name)
        connection = self._worker.accept()
        hello = b""
        while not hello.endswith(b"\n"):
            hello += read_exactly(connection, 1)
        assert json.loads(hello) == {"child": name}, hello
        return SteeredChild(self, name, forked, connection)

    def run(self, code: str, file_path: str = "/", **request) -> Outcome:
        """One job in a child of its own."""
        child = self.fork()
        try:
            return child.run(code, file_path, **request)
        finally:
            child.close()


class SteeredChild:
    def __init__(self, template: SteeredTemplate, name: str, forked: dict, connection: socket.socket):
        self.template = template
        self.name = name
        self.pid = forked["pid"]
        self.nested = forked["nested"]
        self.connection = connection

    def start(self, code: "str | None", file_path: str = "/", **fields):
        request = {"job_id": 5, "attempt": 1, "file_path": file_path, "file_version_id": 7}
        request.update({"plugin_name": "demo", "topic": "output", **fields})
        if code is not None:
            request.update({"plugin_code": code, "plugin_file": "demo.py"})
        data = json.dumps(request).encode()
        self.connection.sendall(struct.pack(">I", len(data)) + data)

    def outcome(self) -> Outcome:
        return read_outcome(self.connection)

    def run(self, code: "str | None", file_path: str = "/", **fields) -> Outcome:
        self.start(code, file_path, **fields)
        return self.outcome()

    def close(self) -> dict:
        """Ends the connection; returns the template's report of the child's end."""
        self.connection.close()
        return self.exited()

    def exited(self) -> dict:
        return self.template.answer("exited", child=self.name)
