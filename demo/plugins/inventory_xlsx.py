"""Stock counts in Excel files, with nothing but Python's own library: an .xlsx is a zip of XML.

Shows that odd formats need no odd dependencies. For workbooks of every kind there is openpyxl; a plugin that
wants it says so in a comment at its top (PEP 723), and gets an environment of its own:

    # /// script
    # dependencies = ["openpyxl>=3.1"]
    # ///

(That comment is indented here, so it is only text. This plugin runs in the default environment.)
"""

import re
import xml.etree.ElementTree as ET
import zipfile
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa

MANIFEST = {"pattern": "inventory/*.xlsx", "topic": "inventory", "version": "1.0"}

NAMESPACE = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
SCHEMA = pa.schema(
    [
        ("article", pa.string()),
        ("shelf", pa.string()),
        ("counted_on", pa.date32()),
        ("pieces", pa.int64()),
        ("value", pa.decimal128(12, 2)),
        ("blocked", pa.bool_()),
    ]
)
DAY_ZERO = date(1899, 12, 30)  # Excel counts days from here


class Handler:
    def execute(self, file_path):
        with zipfile.ZipFile(file_path) as workbook:
            texts = read_texts(workbook)
            sheet = read_xml(workbook, "xl/worksheets/sheet1.xml")
        rows = [read_row(row, texts) for row in sheet.iterfind(".//x:row", NAMESPACE)]
        yield pa.Table.from_pylist([read_item(row) for row in rows[1:]], schema=SCHEMA)


def read_texts(workbook):
    """Every text stands once in a table of its own; cells hold its number."""
    items = read_xml(workbook, "xl/sharedStrings.xml").iterfind("x:si", NAMESPACE)
    return ["".join(item.itertext()) for item in items]


def read_xml(workbook, name):
    with workbook.open(name) as part:
        return ET.parse(part).getroot()


def read_row(row, texts):
    """{"A": "Lamp", "C": "45310"}: by column, as empty cells are left out."""
    cells = {}
    for cell in row.iterfind("x:c", NAMESPACE):
        column = re.match(r"[A-Z]+", cell.get("r"))[0]
        value = cell.findtext("x:v", namespaces=NAMESPACE)
        cells[column] = texts[int(value)] if cell.get("t") == "s" else value
    return cells


def read_item(cells):
    return {
        "article": cells["A"],
        "shelf": cells["B"],
        "counted_on": DAY_ZERO + timedelta(days=int(cells["C"])),
        "pieces": int(cells["D"]) if "D" in cells else None,
        "value": Decimal(cells["E"]).quantize(Decimal("0.01")),
        "blocked": cells["F"] == "1",
    }
