"""Writes arrow_types.json: Arrow IPC streams as pyarrow sends them, one for each type.

Run by hand when pyarrow gains a type: `pip install pyarrow duckdb pandas && python arrow_types.py`.
"values" is what DuckDB sees in the Arrow data, as text: an oracle that never met our Parquet writer.
"""
import base64
import datetime as dt
import decimal
import io
import json
import pathlib

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

DAY = dt.datetime(2024, 1, 2, 3, 4, 5)
CLOCK = dt.time(1, 2, 3)
NUMBER = decimal.Decimal
LONG = "a string longer than twelve bytes"


def arrays():
    numbers = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()]
    for kind in [*numbers, pa.uint64(), pa.float32(), pa.float64()]:
        yield kind, pa.array([1, None, 3], kind)
    yield "halffloat", pa.array(np.array([1, 2, 3], np.float16))
    yield "bool", pa.array([True, None, False])
    yield "null", pa.nulls(3)
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        yield kind, pa.array(["a", None, LONG], kind)
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(3)):
        yield kind, pa.array([b"abc", None, b"xyz"], kind)
    decimals = [pa.decimal32(7, 2), pa.decimal64(15, 2), pa.decimal128(30, 5), pa.decimal256(60, 5)]
    for kind in decimals:
        yield kind, pa.array([NUMBER("1.25"), None, NUMBER("3")], kind)
    for kind in (pa.date32(), pa.date64()):
        yield kind, pa.array([DAY.date(), None, DAY.date()], kind)
    for kind in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")):
        yield kind, pa.array([CLOCK, None, CLOCK], kind)
    for unit in ("s", "ms", "us", "ns"):
        yield f"timestamp {unit}", pa.array([DAY, None, DAY], pa.timestamp(unit))
        yield f"timestamp {unit} with zone", pa.array([DAY, None, DAY], pa.timestamp(unit, "UTC"))
        yield f"duration {unit}", pa.array([dt.timedelta(seconds=1)], pa.duration(unit))
    yield "month_day_nano_interval", pa.array([pa.MonthDayNano([1, 2, 3])])
    yield from nested_arrays()
    yield from encoded_arrays()
    yield "uuid", pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16], pa.binary(16)))
    yield "json", pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}']))


def nested_arrays():
    list_kinds = [pa.list_, pa.large_list, pa.list_view, pa.large_list_view]
    for make in list_kinds:
        yield make.__name__, pa.array([[1], None, []], make(pa.int32()))
    yield "fixed_size_list", pa.array([[1, 2], [3, 4]], pa.list_(pa.int32(), 2))
    yield "struct", pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}])
    yield "list of struct", pa.array([[{"a": 1}], [], None])
    yield "struct without fields", pa.array([{}], pa.struct([]))
    yield "map", pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int32()))
    kinds = pa.array([0, 1, 0], pa.int8())
    dense = [pa.array([1, 2]), pa.array(["a"])]
    yield "dense union", pa.UnionArray.from_dense(kinds, pa.array([0, 0, 1], pa.int32()), dense)
    sparse = [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])]
    yield "list of sparse union", pa.ListArray.from_arrays(
        pa.array([0, 3], pa.int32()), pa.UnionArray.from_sparse(kinds, sparse)
    )


def encoded_arrays():
    texts = pa.array(["a", "b", "a"])
    yield "dictionary", texts.dictionary_encode()
    yield "dictionary of large strings", texts.cast(pa.large_string()).dictionary_encode()
    yield "dictionary of integers", pa.array([10, 20, 10]).dictionary_encode()
    ends = pa.array([0, 1, None], pa.int8())
    yield "ordered dictionary", pa.DictionaryArray.from_arrays(ends, ["x", "y"], ordered=True)
    views = pa.array(["x", "y"], pa.string_view())
    yield "dictionary of views", pa.DictionaryArray.from_arrays(ends, views)
    words = pa.list_(pa.dictionary(pa.int32(), pa.string()))
    yield "list of dictionary", pa.array([["a"], ["b", "a"], None], words)
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", "b"]))
    yield "run_end_encoded", runs


def tables():
    for name, array in arrays():
        yield str(name), [pa.table({"value": array})]
    yield "no columns", [pa.table({})]
    yield "no rows", [pa.table({"value": pa.array([], pa.int32())})]
    yield "slice", [pa.table({"value": ["x", "y", "z"], "b": [True, False, None]}).slice(1, 2)]
    frame = pd.DataFrame({"value": [1, 2], "b": ["x", "y"]}, index=["p", "q"])
    yield "pandas with an index", [pa.Table.from_pandas(frame)]
    field = pa.field("value", pa.int64(), metadata={f"key {i}": "v" for i in range(6)})
    yield "field with metadata", [pa.table([[1]], schema=pa.schema([field]))]
    yield "one name twice", [pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["value"] * 2)]
    yield "reserved name", [pa.table({"value": [1], "_cf_row": [2]})]
    empty, full = (pa.array(rows, pa.int32()) for rows in ([], [1, 2]))
    yield "empty batch first", [pa.table({"value": empty}), pa.table({"value": full})]
    first = pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()), ["a"])
    second = pa.DictionaryArray.from_arrays(pa.array([1], pa.int8()), ["a", "b"])
    yield "dictionary replaced", [pa.table({"value": first}), pa.table({"value": second})]
    yield "dictionary delta", [pa.table({"value": first}), pa.table({"value": second})]
    yield "compressed", [pa.table({"value": list(range(1000))})]


OPTIONS = {
    "dictionary delta": pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True),
    "compressed": pa.ipc.IpcWriteOptions(compression="zstd"),
}


def vector(name, parts):
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, parts[0].schema, options=OPTIONS.get(name)) as writer:
        for part in parts:
            writer.write_table(part)
    ipc = base64.b64encode(stream.getvalue()).decode()
    rows = sum(part.num_rows for part in parts)
    return {"name": name, "rows": rows, "values": seen_by_duckdb(parts), "ipc": ipc}


def seen_by_duckdb(parts):
    try:
        arrow_data = pa.concat_tables(parts)
        return [row[0] for row in duckdb.sql("SELECT value::VARCHAR FROM arrow_data").fetchall()]
    except Exception:  # a type that DuckDB can't take from Arrow: only the rows are compared
        return None


if __name__ == "__main__":
    vectors = [vector(name, parts) for name, parts in tables()]
    path = pathlib.Path(__file__).with_name("arrow_types.json")
    path.write_text("[\n" + ",\n".join(json.dumps(each) for each in vectors) + "\n]\n")
