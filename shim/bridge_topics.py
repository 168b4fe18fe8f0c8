"""The way of a result to the worker: its topic, its schema, and frames of a good size.

A table is written into Arrow messages as soon as it is yielded, as the plugin may go on to change the
arrays behind it. Small messages of a topic wait until there is a frame's worth of them; large tables
are cut. Only sizes decide where a frame ends, never the time, so two runs give the same bytes.
"""

import mmap
import re
import struct
import threading
import time

import pyarrow as pa

from bridge_frames import batch_header, progress_frame, topic_frame
from bridge_results import is_pair, tables_of
from bridge_schemas import PluginError, conform, merge_schemas, plain_schema

TOPIC_PATTERN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
TOPICS_MAX = 256

GATHER_BYTES = 1024 * 1024
SLICE_BYTES = 4 * 1024 * 1024
FRAME_BYTES_MAX = 16 * 1024 * 1024
ROW_BYTES_MAX = 256 * 1024 * 1024 - 64 * 1024
# Below this mean size, messages are worth joining into one batch rather than sending side by side.
SMALL_MESSAGE_BYTES = 64 * 1024

END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
PROGRESS_INTERVAL_S = 1.0


class Reached:
    """How far a job has come, in memory that its template sees as well: so also of a process that died,
    or hangs, it can be told to the row."""

    _COUNTS = struct.Struct("QQ")

    def __init__(self, memory=None):
        """`memory`: what the template shares; nobody looks without it."""
        self._memory = bytearray(self._COUNTS.size) if memory is None else memory
        self.start_job()

    def start_job(self):
        self.rows = self.batches = 0
        self.note()

    @property
    def counts(self) -> "dict[str, int]":
        return {"rows": self.rows, "batches": self.batches}

    def note(self):
        self._COUNTS.pack_into(self._memory, 0, self.rows, self.batches)

    @classmethod
    def shared(cls) -> mmap.mmap:
        return mmap.mmap(-1, cls._COUNTS.size)

    @classmethod
    def read(cls, memory) -> "dict[str, int]":
        rows, batches = cls._COUNTS.unpack_from(memory)
        return {"rows": rows, "batches": batches}


class Outputs:
    """All topics of one job. `add()` takes whatever the plugin yielded, from any of its threads."""

    def __init__(
        self,
        connection,
        default_topic: str,
        allowed: "list[str] | None" = None,
        reached: "Reached | None" = None,
    ):
        self.reached = reached or Reached()
        self.reached.start_job()
        self._connection = connection
        self._default_topic = default_topic
        self._allowed = allowed
        self._sent_topic = default_topic
        self._topics = {}
        self._lock = threading.Lock()
        self._progress_s = time.monotonic()
        self._is_finishing = False

    def add(self, value, topic: "str | None" = None):
        if value is None:
            return
        if topic is None and is_pair(value):
            topic, value = value
        with self._lock:
            output = self._output(self._default_topic if topic is None else topic)
            for table in tables_of(value):
                output.add(table)
                self.reached.rows += table.num_rows
            self.reached.batches += 1
            self.reached.note()
            self._report_progress()

    def register(self, topic: str):
        """Raises PluginError unless the plugin may write to this topic."""
        with self._lock:
            self._output(topic)

    def finish(self):
        """What is still gathered goes out with the frame that ends the job."""
        with self._lock:
            self._is_finishing = True
            for output in self._topics.values():
                output.flush()

    def _output(self, topic: str) -> "TopicOutput":
        output = self._topics.get(topic)
        if output is None:
            self._check(topic)
            output = self._topics[topic] = TopicOutput(topic, self._send)
        return output

    def _check(self, topic):
        if not isinstance(topic, str) or not TOPIC_PATTERN.fullmatch(topic):
            raise PluginError(
                "Cannot write to topic as its name must be letters, digits, '_', '.' or '-' "
                f"(at most 128, not starting with '.' or '-'): got {topic!r}"
            )
        if self._allowed is not None and topic not in self._allowed:
            raise PluginError(
                f"Cannot write to topic {topic!r} as MANIFEST must name it: it names "
                f"{', '.join(self._allowed) or 'none'}; add it to 'topics'"
            )
        if len(self._topics) >= TOPICS_MAX:
            raise PluginError(f"Cannot write to topic {topic!r} as a job has at most {TOPICS_MAX}")

    def _send(self, topic: str, stream: list):
        header = batch_header(sum(map(len, stream)))
        frames = [header, *stream]
        if topic != self._sent_topic:
            self._sent_topic = topic
            frames.insert(0, topic_frame(topic))
        self._connection.send(*frames, more=self._is_finishing)

    def _report_progress(self):
        now_s = time.monotonic()
        if now_s - self._progress_s >= PROGRESS_INTERVAL_S:
            self._progress_s = now_s
            self._connection.send(progress_frame(self.reached.counts))


class TopicOutput:
    """One topic: `send(topic, parts)` gets an Arrow IPC stream in parts."""

    def __init__(self, topic: str, send):
        self._topic = topic
        self._send_stream = send
        self._schema = None
        self._schema_message = b""
        self._schema_seen = None
        self._must_conform = False
        self._results = 0
        self._is_settled = False
        self._pending = []
        self._pending_bytes = 0

    def add(self, table: pa.Table):
        self._results += 1
        if table.num_columns == 0 and table.num_rows == 0:
            return
        self._take_schema(table.schema)
        bytes_estimated = table.nbytes
        if bytes_estimated <= GATHER_BYTES:
            table = table.combine_chunks()
        rows_max = max(1, table.num_rows * SLICE_BYTES // max(bytes_estimated, SLICE_BYTES))
        for batch in table.to_batches(max_chunksize=rows_max) or [_empty_batch(table.schema)]:
            self._add_batch(conform(batch, self._schema) if self._must_conform else batch)

    def flush(self):
        if not self._pending:
            return
        messages, size = self._pending, self._pending_bytes
        self._pending, self._pending_bytes = [], 0
        if len(messages) > 1 and size < len(messages) * SMALL_MESSAGE_BYTES:
            messages = self._joined(messages)
        self._send(messages)

    def _take_schema(self, schema: pa.Schema):
        if self._schema_seen is not None and schema.equals(self._schema_seen):
            return
        plain = plain_schema(schema)
        if self._schema is None:
            self._set_schema(plain)
        elif not plain.equals(self._schema):
            self._merge_schema(plain)
        self._schema_seen = schema
        self._must_conform = [(f.name, f.type) for f in schema] != [
            (f.name, f.type) for f in self._schema
        ]

    def _merge_schema(self, plain: pa.Schema):
        """A column that had only nulls takes a type now, if nothing of the topic was sent yet."""
        known = self._schema
        try:
            merged = merge_schemas(known, plain)
            if self._is_settled and not merged.equals(known):
                names = [f.name for f in known if not f.type.equals(merged.field(f.name).type)]
                raise ValueError(f"column {names[0]!r} held only nulls in the first {GATHER_BYTES} bytes")
        except ValueError as error:
            raise PluginError(
                f"Cannot add result {self._results} to topic {self._topic!r} as all results of a "
                f"topic must have the columns of the first: {error}; the first had "
                f"({_columns(known)}), this one has ({_columns(plain)})"
            ) from None
        if not merged.equals(known):
            self._retype_pending(known, merged)

    def _retype_pending(self, known: pa.Schema, merged: pa.Schema):
        batches = [pa.ipc.read_record_batch(message, known) for message in self._pending]
        self._pending = [conform(batch, merged).serialize() for batch in batches]
        self._pending_bytes = sum(map(len, self._pending))
        self._set_schema(merged)

    def _set_schema(self, schema: pa.Schema):
        self._schema = schema
        self._schema_message = schema.serialize()

    def _add_batch(self, batch: pa.RecordBatch):
        message = batch.serialize()
        size = len(message)
        if size > FRAME_BYTES_MAX - len(self._schema_message) - len(END_OF_STREAM):
            self._add_large(batch, message)
            return
        if self._pending_bytes + size >= GATHER_BYTES:
            self.flush()
        if size >= GATHER_BYTES:
            self._send([message])
        else:
            self._pending.append(message)
            self._pending_bytes += size

    def _add_large(self, batch: pa.RecordBatch, message: pa.Buffer):
        """Rows of very different sizes defeat the estimate, so halve until it fits."""
        rows = batch.num_rows
        if rows > 1:
            self._add_batch(batch.slice(0, rows // 2))
            self._add_batch(batch.slice(rows // 2))
        elif len(message) <= ROW_BYTES_MAX:
            self.flush()
            self._send([message])
        else:
            raise PluginError(
                f"Cannot add result {self._results} to topic {self._topic!r} as a row must have at "
                f"most {ROW_BYTES_MAX} bytes: got {len(message)}; split its values over several rows"
            )

    def _joined(self, messages: list) -> list:
        batches = [pa.ipc.read_record_batch(message, self._schema) for message in messages]
        table = pa.Table.from_batches(batches, self._schema).combine_chunks()
        return [batch.serialize() for batch in table.to_batches() or batches[:1]]

    def _send(self, messages: list):
        self._is_settled = True
        self._send_stream(self._topic, [self._schema_message, *messages, END_OF_STREAM])


def _empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)
