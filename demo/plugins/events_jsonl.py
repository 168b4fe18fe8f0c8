"""An app's events: JSON lines, with an object inside the object made into columns of their own.

Shows a pandas DataFrame as the result (any DataFrame may be yielded), and what to do with a file that ends in
mid-line, as a copy of a log that is still being written does: take what is whole, and say so in the log.
"""

import json
import logging

import pandas as pd

MANIFEST = {"pattern": "events/*.jsonl", "topic": "events", "version": "1.0"}

COLUMNS = ["id", "at", "type", "user_id", "user_country", "value"]

log = logging.getLogger("events_jsonl")


class Handler:
    def execute(self, file_path):
        with open(file_path, encoding="utf-8") as file:
            events = list(read_events(file))
        # {"user": {"id": 7}} becomes user_id; reindex() adds a column that no event of this file has.
        frame = pd.json_normalize(events, sep="_").reindex(columns=COLUMNS)
        frame["at"] = pd.to_datetime(frame["at"], utc=True)
        # Types are said, not guessed: a file without any purchase must look like all the others.
        yield frame.astype({"user_country": "string", "value": "Int64"})


def read_events(file):
    for number, line in enumerate(file, start=1):
        try:
            yield json.loads(line)
        except json.JSONDecodeError as problem:
            if line.endswith("\n"):
                raise  # a broken line in mid-file is no accident of copying: let the file fail
            log.warning("line %d is cut off and was left out: %s", number, problem)
