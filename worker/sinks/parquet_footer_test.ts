import assert from "node:assert/strict";
import fc from "fast-check";
import { lineageColumns } from "./lineage_columns.ts";
import { footerBytes, TRAILER_BYTES, withLineage } from "./parquet_footer.ts";
import { countingFrames, makeSink, query, write } from "./testing.ts";
import * as thrift from "./thrift.ts";

Deno.test("a footer taken apart and put together again is the same, byte for byte", async () => {
  await using test = await makeSink();
  const { staged } = await write(test.sink.open(test.spec()), countingFrames(3, 1000));
  const file = await Deno.readFile(staged);
  const end = file.length - TRAILER_BYTES;
  const footer = file.subarray(end - footerBytes(file.subarray(end)), end);
  assert.deepEqual(thrift.encode(thrift.readStruct(footer)), new Uint8Array(footer));
});

Deno.test("numbers of any size, lists and far field ids survive encoding", () => {
  const seed = Date.now() % 2 ** 31;
  const safe = fc.integer({ min: -(2 ** 51), max: 2 ** 51 });
  fc.assert(
    fc.property(
      fc.array(safe),
      fc.uniqueArray(fc.integer({ min: 1, max: 3000 })),
      (numbers, ids) => {
        const { i64 } = thrift.TYPE;
        const list = thrift.encode({ type: i64, elements: numbers });
        assert.deepEqual(thrift.readList(list).elements.map(thrift.readInt), numbers);
        const fields = ids.sort((a, b) => a - b).map((id) => thrift.list(id, i64, numbers));
        const read = thrift.readStruct(thrift.encode(fields));
        assert.deepEqual(read, fields.map((field) => ({ ...field, value: list })));
      },
    ),
    { seed },
  );
});

Deno.test("broken footers are errors, not endless loops", () => {
  const seed = Date.now() % 2 ** 31;
  const lineage = lineageColumns({ fileId: "a", sourceHash: "b", plugin: "p@1" });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.throws(() => withLineage(bytes, 4, lineage), Error);
    }),
    { seed },
  );
});

Deno.test("row numbers read back at every count around a block's and a run's borders", async () => {
  await using test = await makeSink();
  for (const rows of [1, 2, 127, 128, 129, 130, 255, 256, 257, 8192, 8193]) {
    const { staged } = await write(test.sink.open(test.spec()), countingFrames(1, rows));
    const [sums] = await query(
      `SELECT count(*) AS n, count(DISTINCT _cf_row) AS numbers, max(_cf_row) AS last,
        count(*) FILTER (_cf_plugin = 'csv_demo@1.0.0') AS named FROM read_parquet($1)`,
      staged,
    );
    const n = BigInt(rows);
    assert.deepEqual(sums, { n, numbers: n, last: n - 1n, named: n });
  }
});
