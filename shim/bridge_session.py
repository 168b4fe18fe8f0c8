"""One connection to the worker and the jobs that are run over it, one after the other.

A job ends with the end frame or with the error frame. After an error nobody knows what state the
plugin's module is in, so this process takes no further job.
"""

import ctypes
import logging
import os
import signal
import sys
import threading

from bridge_connection import Cancellation, Connection
from bridge_frames import END_FRAME, error_frame, progress_frame
from bridge_logs import JOB_BYTES_MAX, STDERR, STDOUT, LogRecords, LogSink, LogStream, OutputPump
from bridge_memory import bound_address_space
from bridge_plugin import Job, Plugin
from bridge_processes import children_of, end_tree, sees_itself
from bridge_topics import Outputs, Reached
from bridge_traceback import describe

DEFAULT_TOPIC = "output"
_LIBC = ctypes.CDLL(None)


class Session:
    """`readers`: the pipes behind descriptors 1 and 2, as OutputPump wants them."""

    def __init__(
        self,
        connection: Connection,
        cancellation: Cancellation,
        readers: "dict[int, int]",
        reached: "Reached | None" = None,
    ):
        self._connection = connection
        self._reached = reached
        self._cancellation = cancellation
        self._sink = LogSink(connection)
        self._pump = OutputPump(self._sink, readers)
        self._memory = open("/proc/self/statm", "rb", buffering=0) if _has_proc() else None
        logging.getLogger().addHandler(LogRecords(self._sink))
        logging.getLogger().setLevel(logging.INFO)
        self._pump.start()

    def run(self, plugin: Plugin, job: Job) -> bool:
        """Runs one job to its last frame; True if that was the end frame. Raises ConnectionError."""
        self._prepare(job)
        try:
            plugin.load()
            threads = threading.active_count()
            outputs = Outputs(self._connection, _topic(plugin, job), job.topics, self._reached)
            plugin.run(job, outputs)
            outputs.finish()
        except BaseException as error:
            return self._fail(error, plugin.file_name)
        return self._succeed(outputs, threads)

    def _prepare(self, job: Job):
        os.environ["BRIDGE_FILE_PATH"] = job.file_path
        os.environ["BRIDGE_JOB_ID"] = str(job.job_id)
        os.environ["BRIDGE_FILE_VERSION_ID"] = str(job.file_version_id)
        self._sink.start_job(job.log_bytes)
        sys.stdout = sys.__stdout__ = LogStream(self._sink, STDOUT)
        sys.stderr = sys.__stderr__ = LogStream(self._sink, STDERR)

    def _fail(self, error: BaseException, file_name: str) -> bool:
        with self._cancellation:
            message = "Cancelled" if self._cancellation.asked else describe(error, file_name)
            self._flush_output()
            self._connection.send(error_frame(message))
        return False

    def _succeed(self, outputs: Outputs, threads: int) -> bool:
        with self._cancellation:
            leftovers = _end_leftovers(threads)
            self._flush_output()
            progress = {**outputs.reached.counts, "rss_kib": self._rss_kib()}
            if leftovers:
                progress["last"] = True
            self._connection.send(progress_frame(progress), END_FRAME)
        return not leftovers

    def _flush_output(self):
        _LIBC.fflush(None)
        self._pump.drain()
        self._sink.flush()

    def _rss_kib(self) -> int:
        if self._memory is None:
            return 0
        self._memory.seek(0)
        return int(self._memory.read().split()[1]) * (os.sysconf("SC_PAGE_SIZE") // 1024)


def _end_leftovers(threads: int) -> bool:
    """Ends what the job left running. True if there was anything: this process is not clean then."""
    # In a PID namespace of its own -1 means all the others in it; elsewhere it would mean the host's.
    had_processes = _end_namespace() if os.getpid() == 1 else _end_descendants()
    return had_processes or threading.active_count() > threads


def _end_namespace() -> bool:
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return False
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return True


def _end_descendants() -> bool:
    """Those of a process that has ended come to this one, so none is left when it has no child."""
    had_processes = False
    while children := children_of(os.getpid()) if sees_itself() else []:
        had_processes = True
        for child in children:
            end_tree(child)
        os.waitpid(-1, 0)
    return had_processes


def _topic(plugin: Plugin, job: Job) -> str:
    if job.topic is not None:
        return job.topic
    topic = plugin.manifest.get("topic")
    return topic if isinstance(topic, str) else DEFAULT_TOPIC


def _has_proc() -> bool:
    return os.path.exists("/proc/self/statm")


def serve(session: Session, connection: Connection):
    """Runs requests until the worker closes the connection or a job leaves this process unfit."""
    plugin = None
    while True:
        request = connection.read_request()
        if request is None:
            return
        if plugin is None:
            name = request["plugin_name"]
            if request.get("memory_bytes"):
                bound_address_space(request["memory_bytes"])
            plugin = Plugin(name, request["plugin_code"], request.get("plugin_file") or f"{name}.py")
        if not session.run(plugin, _job(request)):
            return


def _job(request: dict) -> Job:
    return Job(
        file_path=request["file_path"],
        job_id=request["job_id"],
        file_version_id=request["file_version_id"],
        config=request.get("config"),
        topic=request.get("topic"),
        topics=request.get("topics"),
        log_bytes=request.get("log_bytes", JOB_BYTES_MAX),
    )
