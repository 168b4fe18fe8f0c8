import assert from "node:assert/strict";
import vectors from "../../tests/vectors/arrow_types.json" with { type: "json" };
import { SinkError } from "./sink.ts";
import { makeSink, query, type TestSink } from "./testing.ts";

// What a user is told to do about each type that doesn't fit.
const REFUSED: Record<string, RegExp> = {
  "date64[ms]": /column "value" as Parquet can't hold date64; cast it to date32/,
  "time32[s]": /can't hold time32\[s\]; cast it to time32\[ms\]/,
  "timestamp s": /can't hold timestamp\[s\]; cast it to timestamp\[ms\]/,
  "timestamp s with zone": /can't hold timestamp\[s, tz=UTC\]; cast it to timestamp\[ms\]/,
  "month_day_nano_interval": /can't hold month_day_nano_interval; cast it to duration\[us\]/,
  "struct without fields": /can't hold struct<>; cast it to a struct with fields/,
  "dense union": /can't hold dense_union<0: int64, 1: string>; cast it to a struct/,
  "list of sparse union": /column "value" as Parquet can't hold sparse_union/,
  "dictionary of views": /can't hold dictionary<int8, string_view>; cast it to a dictionary of s/,
  "compressed": /its batches are compressed/,
  "one name twice": /column "value" as most readers refuse two columns of one name/,
  "reserved name": /column "_cf_row" as names that start with _cf_ are kept for lineage/,
};

// These are themselves to readers of Arrow's own schema, such as pyarrow; to DuckDB numbers and bytes.
const PLAIN_IN_DUCKDB = /^(duration|uuid)/;

Deno.test("every type that pyarrow sends is written with its values, or refused with advice", async (t) => {
  await using test = await makeSink();
  for (const { name, ipc, rows, values } of vectors) {
    await t.step(name, async () => {
      const written = writeVector(test, ipc);
      const refused = REFUSED[name];
      if (refused !== undefined) {
        await assert.rejects(
          written,
          (error) => error instanceof SinkError && refused.test(error.message),
        );
        return;
      }
      const { staged, ...output } = await written;
      assert.equal(output.rows, rows);
      const read = await query("SELECT * FROM read_parquet($1)", staged);
      assert.deepEqual(read.map((row) => Number(row._cf_row)), [...Array(rows).keys()]);
      if (values !== null && rows > 0 && !PLAIN_IN_DUCKDB.test(name)) {
        const texts = await query("SELECT value::VARCHAR AS text FROM read_parquet($1)", staged);
        assert.deepEqual(texts.map(({ text }) => text), values);
      }
    });
  }
});

Deno.test("each type gives the same bytes when it is written again", async () => {
  await using test = await makeSink();
  for (const { name, ipc } of vectors.filter(({ name }) => !(name in REFUSED))) {
    const [first, second] = [await writeVector(test, ipc), await writeVector(test, ipc, 2)];
    const bytes = await Promise.all([first, second].map(({ staged }) => Deno.readFile(staged)));
    assert.deepEqual(bytes[0], bytes[1], name);
  }
});

async function writeVector({ sink, spec }: TestSink, ipc: string, attempt = 1) {
  const writer = sink.open(spec({ attempt }));
  await writer.write(Uint8Array.fromBase64(ipc));
  return await writer.finish();
}
