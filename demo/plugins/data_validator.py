"""Rules for sensor readings, and a report of how well each file keeps them.

Shows a plugin that lands not the data but what is to be said about them: one row per rule and file. Which
file a row is about need not be a column: Casparian adds _cf_file_id, _cf_source_hash, _cf_plugin and _cf_row.
"""

import pandas as pd
import pyarrow as pa

MANIFEST = {
    "pattern": "sensors/*.csv",
    "topic": "data_quality",
    "version": "1.0",
    "config": {"temperature_c": [-40, 85], "humidity_percent": [0, 100]},
}

SCHEMA = pa.schema(
    [
        ("rule", pa.string()),
        ("rows_checked", pa.int64()),
        ("rows_broken", pa.int64()),
        ("first_broken_line", pa.int64()),
    ]
)


class Handler:
    def configure(self, context, config):
        """Called before execute(), with MANIFEST's config."""
        self.ranges = config

    def execute(self, file_path):
        readings = pd.read_csv(file_path)
        rules = {
            "temperature_c is there": readings["temperature_c"].isna(),
            "reading is told once": readings["reading"].duplicated(),
        }
        for column, (low, high) in self.ranges.items():
            values = readings[column]
            rules[f"{column} is from {low} to {high}"] = (values < low) | (values > high)
        report = [report_row(rule, broken) for rule, broken in rules.items()]
        yield pa.Table.from_pylist(report, schema=SCHEMA)


def report_row(rule, broken):
    lines = broken.index[broken] + 2  # line 1 is the header
    return {
        "rule": rule,
        "rows_checked": len(broken),
        "rows_broken": len(lines),
        "first_broken_line": int(lines[0]) if len(lines) else None,
    }
