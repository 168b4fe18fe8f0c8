"""Access logs of a web server, packed with gzip: text that a regular expression takes apart.

Shows a file that may be larger than memory: yield a batch whenever there are enough rows. Casparian writes it
away before it asks for the next, so memory stays the same for a megabyte and for a hundred gigabytes.
"""

import gzip
import re
from datetime import datetime

import pyarrow as pa

MANIFEST = {"pattern": "web_logs/*.log.gz", "topic": "web_requests", "version": "1.0"}

ROWS_PER_BATCH = 200  # small, to show it; 50_000 is a good size for real logs

REQUEST = re.compile(
    r'(?P<client>\S+) \S+ \S+ \[(?P<at>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" '
    r'(?P<status>\d{3}) (?P<bytes_sent>\d+|-) "(?P<referrer>[^"]*)" "(?P<agent>(?:[^"\\]|\\.)*)"'
)
SCHEMA = pa.schema(
    [
        ("client", pa.string()),
        ("at", pa.timestamp("s", tz="UTC")),
        ("method", pa.string()),
        ("path", pa.string()),
        ("status", pa.int16()),
        ("bytes_sent", pa.int64()),
        ("agent", pa.string()),
    ]
)


class Handler:
    def execute(self, file_path):
        rows = []
        with gzip.open(file_path, "rt", encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                rows.append(read_request(number, line))
                if len(rows) == ROWS_PER_BATCH:
                    yield pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
                    rows = []
        yield pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def read_request(number, line):
    found = REQUEST.match(line)
    if found is None:
        raise ValueError(f"line {number} is not in the combined log format: {line[:80]!r}")
    row = found.groupdict()
    row["at"] = datetime.strptime(row["at"], "%d/%b/%Y:%H:%M:%S %z")
    row["status"] = int(row["status"])
    row["bytes_sent"] = None if row["bytes_sent"] == "-" else int(row["bytes_sent"])
    return row
