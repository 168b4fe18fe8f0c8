"""Bank bookings in records of fixed width, between a header and a trailer with their count and total.

    H20240201NORTHBANK
    D000000285320240201-00000038751CARD PAYMENT
    T000001-00000000038751

Shows how a plugin refuses a file: it raises. The file then stands as failed, with this message and the line
of the plugin that raised it, and not one of its rows is landed: half a file would be worse than none.
"""

from datetime import datetime
from decimal import Decimal

import pyarrow as pa

MANIFEST = {"pattern": "bank/*.txt", "topic": "bank_bookings", "version": "1.0"}

SCHEMA = pa.schema(
    [
        ("bank", pa.string()),
        ("account", pa.string()),  # an account number is no number: 0000002853 keeps its zeros
        ("booked_on", pa.date32()),
        ("amount", pa.decimal128(12, 2)),
        ("text", pa.string()),
    ]
)


class Handler:
    def execute(self, file_path):
        with open(file_path, encoding="ascii") as file:
            header, *records, trailer = file.read().splitlines()
        bank = header[9:29].rstrip()
        bookings = [{"bank": bank, **read_booking(record)} for record in records]
        check_trailer(trailer, bookings)
        yield pa.Table.from_pylist(bookings, schema=SCHEMA)


def read_booking(record):
    return {
        "account": record[1:11],
        "booked_on": datetime.strptime(record[11:19], "%Y%m%d").date(),
        "amount": read_cents(record[19:31]),
        "text": record[31:51].rstrip(),
    }


def check_trailer(trailer, bookings):
    if trailer[:1] != "T":
        raise ValueError(f"The last record must be a trailer, T…: got {trailer!r}; is the file cut off?")
    count, total = int(trailer[1:7]), read_cents(trailer[7:22])
    if count != len(bookings):
        raise ValueError(f"The trailer says {count} bookings, but the file holds {len(bookings)}")
    booked = sum(booking["amount"] for booking in bookings)
    if total != booked:
        raise ValueError(f"The trailer says a total of {total}, but the bookings add up to {booked}")


def read_cents(text):
    return Decimal(int(text)) / 100
