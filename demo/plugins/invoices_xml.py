"""Invoices with lines inside them: nested XML made into two flat tables that can be joined again.

Shows several topics from one file: yield (topic, table) pairs, and name the topics in MANIFEST.
"""

import xml.etree.ElementTree as ET
from datetime import date
from decimal import Decimal

import pyarrow as pa

MANIFEST = {
    "pattern": "invoices/*.xml",
    "topics": ["invoices", "invoice_lines"],
    "version": "1.0",
    "tags": ["finance"],
}

NAMESPACE = {"i": "urn:example:invoices:1"}
MONEY = pa.decimal128(12, 2)
INVOICES = pa.schema(
    [("number", pa.string()), ("issued_on", pa.date32()), ("supplier", pa.string()), ("total", MONEY)]
)
LINES = pa.schema(
    [
        ("invoice_number", pa.string()),
        ("line", pa.int32()),
        ("item", pa.string()),
        ("quantity", pa.int64()),
        ("discount_percent", pa.int32()),
        ("amount", MONEY),
    ]
)


class Handler:
    def execute(self, file_path):
        elements = ET.parse(file_path).getroot().findall("i:Invoice", NAMESPACE)
        lines = [line for element in elements for line in read_lines(element)]
        yield "invoices", pa.Table.from_pylist([read_invoice(one) for one in elements], schema=INVOICES)
        yield "invoice_lines", pa.Table.from_pylist(lines, schema=LINES)


def read_invoice(element):
    return {
        "number": element.get("number"),
        "issued_on": date.fromisoformat(text_of(element, "i:Issued")),
        "supplier": text_of(element, "i:Supplier/i:Name"),
        "total": Decimal(text_of(element, "i:Total")),
    }


def read_lines(element):
    for line in element.iterfind("i:Lines/i:Line", NAMESPACE):
        discount = line.get("discount")
        yield {
            "invoice_number": element.get("number"),
            "line": int(line.get("no")),
            "item": text_of(line, "i:Item"),
            "quantity": int(text_of(line, "i:Quantity")),
            "discount_percent": None if discount is None else int(discount),
            "amount": Decimal(text_of(line, "i:Amount")),
        }


def text_of(element, path):
    found = element.find(path, NAMESPACE)
    if found is None or found.text is None:
        raise ValueError(f"<{element.tag}> must have {path} with a text: {ET.tostring(element)[:80]!r}")
    return found.text
