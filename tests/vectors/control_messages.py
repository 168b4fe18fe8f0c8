"""Makes control_messages.json: golden frames of the control plane, by struct.pack and json alone.

An encoder of its own, on purpose: a vector that our TypeScript had written would prove nothing.
Run `python3 tests/vectors/control_messages.py`; six of the messages must come out as the first design
of the protocol printed them, and the script stops if one does not.
"""

import json
import struct
from pathlib import Path

DESIGNED = {
    "identify": "04010000000000000000000000000028",
    "dispatch": "04020000000000000000002a000000b1",
    "abort": "04030000000000000000002a00000002",
    "heartbeat": "04040000000000000000000000000050",
    "conclude": "04050000000000000000002a00000060",
    "err": "04060000000000000000000000000018",
}

ENV_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
DISPATCH = {
    "plugin_name": "csv_demo",
    "file_path": "/data/a.csv",
    "sinks": [{"topic": "output", "uri": "parquet://out", "mode": "append"}],
    "file_version_id": 7,
    "env_hash": "ab12",
    "source_code": "x=1",
}
OURS = {
    "attempt": 2,
    "lease_ms": 8000,
    "timeout_ms": 60000,
    "limits": {"memory_bytes": 536870912, "cpu_s": 30, "log_bytes": 1048576},
    "plugin_version": "1.2.0",
    "isolation": "job",
    "content_hash": ENV_HASH,
    "size": 12,
    "mtime_ms": 1767225600000.25,
    "file_id": ENV_HASH,
    "config": {"decimal": ","},
    "data_roots": ["/data"],
    "root": {"name": "in", "directory": "/data"},
    "generation": 9007199254740991,
}
OUTPUT = {
    "topic": "sales",
    "uri": "/out/sales/a.0123456789abcdef.g5.parquet",
    "rows": 3,
    "bytes": 1042,
    "staged": "/out/sales/.staging/a.0123456789abcdef.g5.parquet.w1.a2.staged",
    "generation": 5,
}

# title, name, opcode, job id, body as sent, body as read if that differs
MESSAGES = [
    ("identify", "identify", 1, 0, {"capabilities": ["*"], "worker_id": "w-1"}),
    (
        "identify with all that is ours",
        "identify",
        1,
        0,
        {
            "capabilities": ["*"],
            "worker_id": "w-1",
            "features": ["receipt-ack", "attempts", "logs", "resolve", "try"],
            "slots": 2,
            "host": "h",
            "version": "0.1.0",
            "sandbox": "namespaces",
            "envs": [ENV_HASH],
        },
    ),
    ("dispatch", "dispatch", 2, 42, DISPATCH),
    ("dispatch with all that is ours", "dispatch", 2, 42, {**DISPATCH, **OURS}),
    (
        "dispatch whose sink names no mode",
        "dispatch",
        2,
        42,
        {**DISPATCH, "sinks": [{"topic": "output", "uri": "parquet://out"}]},
        DISPATCH,
    ),
    ("abort", "abort", 3, 42, {}),
    ("abort of one attempt", "abort", 3, 42, {"attempt": 2}),
    (
        "heartbeat",
        "heartbeat",
        4,
        0,
        {"status": "BUSY", "current_job_id": 42, "active_job_count": 1, "active_job_ids": [42]},
    ),
    (
        "heartbeat of a sentinel",
        "heartbeat",
        4,
        0,
        {"status": "ALIVE", "features": ["receipt-ack", "attempts", "logs", "resolve", "try"]},
    ),
    (
        "heartbeat with progress",
        "heartbeat",
        4,
        0,
        {
            "status": "BUSY",
            "active_job_ids": [42],
            "progress": [{"job_id": 42, "rows": 100, "bytes": 4096}],
        },
    ),
    (
        "heartbeat of a worker that drains, with a warm template",
        "heartbeat",
        4,
        0,
        {
            "status": "IDLE",
            "active_job_count": 0,
            "active_job_ids": [],
            "warm_envs": [ENV_HASH],
            "draining": True,
        },
    ),
    (
        "conclude",
        "conclude",
        5,
        42,
        {
            "status": "SUCCESS",
            "metrics": {"rows": 3},
            "artifacts": [{"topic": "output", "uri": "out/a.parquet"}],
        },
    ),
    (
        "conclude with outputs",
        "conclude",
        5,
        42,
        {
            "status": "SUCCESS",
            "metrics": {"rows": 3},
            "artifacts": [],
            "attempt": 2,
            "outputs": [OUTPUT],
        },
    ),
    (
        "conclude of a failure, as Python sends None",
        "conclude",
        5,
        42,
        {
            "status": "FAILED",
            "metrics": {},
            "artifacts": [],
            "error_message": "ValueError: größer als 0",
            "attempt": None,
            "outputs": None,
            "error_kind": "plugin",
            "retryable": False,
        },
        {
            "status": "FAILED",
            "metrics": {},
            "artifacts": [],
            "error_message": "ValueError: größer als 0",
            "error_kind": "plugin",
            "retryable": False,
        },
    ),
    ("err", "err", 6, 0, {"message": "bad header"}),
    ("err with a traceback", "err", 6, 0, {"message": "bad header", "traceback": "line 1"}),
    ("reload", "reload", 7, 0, {}),
    (
        "prepare_env",
        "prepare_env",
        8,
        0,
        {
            "env_hash": ENV_HASH,
            "lockfile_content": "pyarrow==21.0.0 --hash=sha256:00\n",
            "python_version": "3.11",
        },
    ),
    (
        "env_ready",
        "env_ready",
        9,
        0,
        {"env_hash": ENV_HASH, "interpreter_path": "/e/bin/python", "cached": True, "bytes": 1048576},
    ),
    (
        "env_ready that failed",
        "env_ready",
        9,
        0,
        {"env_hash": ENV_HASH, "interpreter_path": "", "error": "No solution found"},
    ),
    (
        "deploy",
        "deploy",
        10,
        0,
        {
            "plugin_name": "csv_demo",
            "version": "1.0.0",
            "source_code": "x=1",
            "lockfile_content": "",
            "env_hash": "ab12",
            "artifact_hash": "cd34",
            "signature": "",
            "publisher_name": "ada",
            "system_requirements": [],
        },
    ),
    ("ack of a deploy", "ack", 11, 0, {"success": True, "message": "deployed", "plugin_id": 3}),
    (
        "ack of a receipt",
        "ack",
        11,
        42,
        {
            "success": True,
            "message": "committed",
            "attempt": 2,
            "retired": ["/out/sales/a.0123456789abcdef.g4.parquet"],
        },
    ),
    (
        "log",
        "log",
        12,
        42,
        {"attempt": 2, "lines": [[1767225600000, 0, "rows read: 3"], [1767225600001, 5, "ü"]]},
    ),
    ("call", "call", 13, 0, {"id": 1, "method": "jobs.get", "params": {"job_id": 42}}),
    ("reply", "reply", 14, 0, {"id": 1, "result": {"ok": True}}),
    (
        "reply with an error",
        "reply",
        14,
        0,
        {"id": 1, "error": {"code": "not_found", "message": "There is no job 42"}},
    ),
    (
        "resolve",
        "resolve",
        15,
        0,
        {"id": 5, "requirements": ["pandas>=2"], "python_version": ">=3.10"},
    ),
    (
        "resolved",
        "resolved",
        16,
        0,
        {"id": 5, "lockfile_content": "pyarrow==21.0.0 --hash=sha256:00\n", "env_hash": ENV_HASH},
    ),
    ("resolved without success", "resolved", 16, 0, {"id": 5, "error": "No solution found"}),
    ("try", "try", 17, 0, {**DISPATCH, "id": 6, "rows_max": 20}),
    (
        "tried",
        "tried",
        18,
        0,
        {
            "id": 6,
            "topics": [
                {
                    "topic": "output",
                    "schema": [{"name": "a", "type": "int64"}],
                    "rows": [{"a": 1}],
                    "row_count": 1,
                }
            ],
            "metrics": {"rows": 1},
        },
    ),
]


def header(opcode, job_id, payload_bytes, version=4, reserved=0):
    return struct.pack("!BBHQI", version, opcode, reserved, job_id, payload_bytes)


def vector(title, name, opcode, job_id, sent, read=None):
    payload = json.dumps(sent, separators=(",", ":"), ensure_ascii=False)
    frame = header(opcode, job_id, len(payload.encode())).hex()
    if title in DESIGNED and frame != DESIGNED[title]:
        raise SystemExit(f"{title}: the design says {DESIGNED[title]}, this script {frame}")
    made = {"title": title, "name": name, "job_id": job_id, "header": frame, "payload": payload}
    return made if read is None else {**made, "read": read}


def refused(title, part, *frames):
    return {"title": title, "part": part, "frames": [frame.hex() for frame in frames]}


EMPTY = b"{}"
REFUSED = [
    refused("no frame", "message"),
    refused("one frame", "message", header(7, 0, 2)),
    refused("three frames", "message", b"", header(7, 0, 2), EMPTY),
    refused("short header", "header", header(7, 0, 2)[:15], EMPTY),
    refused("long header", "header", header(7, 0, 2) + b"\0", EMPTY),
    refused("empty header", "header", b"", EMPTY),
    refused("version 3", "version", header(7, 0, 2, version=3), EMPTY),
    refused("version 5", "version", header(7, 0, 2, version=5), EMPTY),
    refused("opcode 0", "opcode", header(0, 0, 2), EMPTY),
    refused("opcode 19", "opcode", header(19, 0, 2), EMPTY),
    refused("opcode 255", "opcode", header(255, 0, 2), EMPTY),
    refused("job id 2^53", "job id", header(3, 2**53, 2), EMPTY),
    refused("largest job id", "job id", header(3, 2**64 - 1, 2), EMPTY),
    refused("LEN below the payload", "payload", header(3, 42, 1), EMPTY),
    refused("LEN above the payload", "payload", header(3, 42, 3), EMPTY),
    refused("LEN over 1 MiB for HEARTBEAT", "payload length", header(4, 0, 2**20 + 1), EMPTY),
    refused("LEN over 64 MiB for DISPATCH", "payload length", header(2, 1, 2**26 + 1), EMPTY),
    refused("largest LEN", "payload length", header(10, 0, 2**32 - 1), EMPTY),
    refused("bad UTF-8", "err payload", header(6, 0, 15), b'{"message":"\xff"}'),
    refused("UTF-16", "abort payload", header(3, 1, 6), b"\xff\xfe{\0}\0"),
    refused("a byte order mark", "abort payload", header(3, 1, 5), b"\xef\xbb\xbf{}"),
    refused("half of JSON", "abort payload", header(3, 1, 1), b"{"),
    refused("JSON and more", "abort payload", header(3, 1, 4), b"{}{}"),
    refused("NaN", "abort payload", header(3, 1, 15), b'{"attempt":NaN}'),
    refused("an array", "abort payload", header(3, 1, 2), b"[]"),
    refused("null", "abort payload", header(3, 1, 4), b"null"),
    refused("a missing field", "err message", header(6, 0, 2), EMPTY),
    refused("a wrong type", "err message", header(6, 0, 13), b'{"message":1}'),
    refused("a fraction", "abort attempt", header(3, 1, 15), b'{"attempt":1.5}'),
    refused("a negative count", "abort attempt", header(3, 1, 14), b'{"attempt":-1}'),
    refused("a number over 2^53-1", "abort attempt", header(3, 1, 28), b'{"attempt":9007199254740992}'),
    refused("a number over all", "abort attempt", header(3, 1, 17), b'{"attempt":1e400}'),
]

if __name__ == "__main__":
    vectors = {
        "about": "Golden frames of the control plane, made by control_messages.py. header is hex, "
        "payload the text of the second frame; read is its body as decoded, where that differs "
        "from the payload's JSON. refused: frames in hex, and the part that is to blame.",
        "messages": [vector(*message) for message in MESSAGES],
        "refused": REFUSED,
    }
    text = json.dumps(vectors, indent=1, ensure_ascii=False) + "\n"
    Path(__file__).with_suffix(".json").write_text(text, encoding="utf-8")
