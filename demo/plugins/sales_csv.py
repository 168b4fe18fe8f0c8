"""Sales from shops that write 1.234,50 and 31.12.2024: a CSV that is none of the easy ones.

Start here. A plugin is one file with two things in it: MANIFEST says which files it takes and where its rows
go, Handler.execute() reads one such file. There is nothing to import from Casparian.

Some files hold a row that is no sale (a header in mid-file, a 31st of February). Such a row is skipped, and
the log says which line and why: a row must never vanish in silence.
"""

import csv
import logging
from datetime import datetime
from decimal import Decimal

import pyarrow as pa

MANIFEST = {
    "pattern": "sales/*.csv",  # with a "/": the path below the source root; without: the file's name
    "topic": "sales",  # becomes the folder output/sales/
    "version": "1.0",
}

# Money is a decimal, not a float: cents must add up. A schema also keeps all files of a topic alike.
SCHEMA = pa.schema(
    [
        ("sold_on", pa.date32()),
        ("shop", pa.string()),
        ("article", pa.string()),
        ("quantity", pa.int64()),
        ("price", pa.decimal128(12, 2)),
        ("amount", pa.decimal128(12, 2)),
    ]
)

log = logging.getLogger("sales_csv")


class Handler:
    def execute(self, file_path):
        sales = []
        # "utf-8-sig" drops the mark that Excel puts in front of the first column's name.
        with open(file_path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=";")
            for row in reader:
                try:
                    sales.append(read_sale(row))
                except (ValueError, ArithmeticError) as problem:
                    log.warning("line %d skipped: %s", reader.line_num, problem)
        yield pa.Table.from_pylist(sales, schema=SCHEMA)


def read_sale(row):
    return {
        "sold_on": datetime.strptime(row["Datum"], "%d.%m.%Y").date(),
        "shop": row["Filiale"],
        "article": row["Artikel"],
        "quantity": int(row["Menge"]),
        "price": read_decimal(row["Preis"]),
        "amount": read_decimal(row["Betrag"]),
    }


def read_decimal(text):
    """1.234,50 is one thousand two hundred thirty-four and a half."""
    return Decimal(text.replace(".", "").replace(",", "."))
