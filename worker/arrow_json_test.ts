import assert from "node:assert/strict";
import * as arrow from "apache-arrow";
import { firstRows } from "./arrow_json.ts";

function stream(columns: Record<string, arrow.Vector>): Uint8Array {
  return arrow.tableToIPC(new arrow.Table(columns), "stream");
}

function values(vector: arrow.Vector): unknown[] {
  return firstRows(stream({ v: vector }), 100).map((row) => row.v);
}

Deno.test("firstRows() stops at its bound", () => {
  const bytes = stream({ n: arrow.vectorFromArray([1, 2, 3], new arrow.Int32()) });
  assert.deepEqual(firstRows(bytes, 2), [{ n: 1 }, { n: 2 }]);
  assert.deepEqual(firstRows(bytes, 9).length, 3);
});

Deno.test("integers beyond 2^53 and floats that JSON lacks become strings", () => {
  const big = arrow.vectorFromArray([1n, 9007199254740993n, null], new arrow.Int64());
  assert.deepEqual(values(big), [1, "9007199254740993", null]);
  const floats = arrow.vectorFromArray([1.5, NaN, -Infinity], new arrow.Float64());
  assert.deepEqual(values(floats), [1.5, "NaN", "-Infinity"]);
});

Deno.test("times are ISO 8601, with as many digits as they have", () => {
  const naive = new arrow.Timestamp(arrow.TimeUnit.MILLISECOND);
  const zoned = new arrow.Timestamp(arrow.TimeUnit.MILLISECOND, "Europe/Berlin");
  const at = Date.UTC(2024, 1, 29, 12, 30, 5, 120);
  assert.deepEqual(values(arrow.vectorFromArray([at, -1], naive)), [
    "2024-02-29T12:30:05.12",
    "1969-12-31T23:59:59.999",
  ]);
  assert.deepEqual(values(arrow.vectorFromArray([at - 120], zoned)), ["2024-02-29T12:30:05Z"]);
  assert.deepEqual(values(arrow.vectorFromArray([new Date(at)], new arrow.DateDay())), [
    "2024-02-29",
  ]);
  assert.deepEqual(values(arrow.vectorFromArray([3_661_001], new arrow.TimeMillisecond())), [
    "01:01:01.001",
  ]);
});

Deno.test("decimals keep their scale and sign", () => {
  const type = new arrow.Decimal(2, 10, 128);
  const words = (value: bigint) => {
    const unsigned = BigInt.asUintN(128, value);
    return Uint32Array.from(
      [0n, 32n, 64n, 96n],
      (shift) => Number((unsigned >> shift) & 0xffffffffn),
    );
  };
  const data = arrow.makeData({
    type,
    length: 3,
    data: Uint32Array.of(...words(12345n), ...words(-5n), ...words(0n)),
  });
  assert.deepEqual(values(arrow.makeVector(data)), ["123.45", "-0.05", "0.00"]);
});

Deno.test("nested values, bytes and categories are spelled out", () => {
  const list = new arrow.List(arrow.Field.new("item", new arrow.Int64(), true));
  assert.deepEqual(values(arrow.vectorFromArray([[1n, 2n], []], list)), [[1, 2], []]);
  const struct = new arrow.Struct([arrow.Field.new("a", new arrow.Utf8(), true)]);
  assert.deepEqual(values(arrow.vectorFromArray([{ a: "x" }], struct)), [{ a: "x" }]);
  const bytes = arrow.vectorFromArray([Uint8Array.of(1, 2, 3)], new arrow.Binary());
  assert.deepEqual(values(bytes), ["AQID"]);
  const category = new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32());
  assert.deepEqual(values(arrow.vectorFromArray(["a", "b", "a"], category)), ["a", "b", "a"]);
});
