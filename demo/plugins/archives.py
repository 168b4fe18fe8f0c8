"""Zip files of CSVs: all members in one table, with a column that says which member a row came from.

Shows a file that is many: the members are read where they are, nothing is unpacked to disk.
"""

import zipfile

import pyarrow as pa
import pyarrow.csv

MANIFEST = {"pattern": "archives/*.zip", "topic": "weather", "version": "1.0"}

TYPES = {"day": pa.date32(), "temperature_c": pa.float64(), "rain_mm": pa.int32()}


class Handler:
    def execute(self, file_path):
        with zipfile.ZipFile(file_path) as archive:
            for member in archive.namelist():
                if member.endswith(".csv"):  # there is a note for people in it, too
                    yield read_member(archive, member)


def read_member(archive, member):
    options = pyarrow.csv.ConvertOptions(column_types=TYPES)
    with archive.open(member) as file:
        table = pyarrow.csv.read_csv(file, convert_options=options)
    return table.append_column("member", pa.array([member] * table.num_rows, pa.string()))
