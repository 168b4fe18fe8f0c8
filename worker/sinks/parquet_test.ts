import assert from "node:assert/strict";
import { dirname } from "node:path";
import vectors from "../../tests/vectors/arrow_types.json" with { type: "json" };
import { SinkError } from "./sink.ts";
import {
  countingFrames,
  FILE_ID,
  filesIn,
  frameOf,
  makeSink,
  query,
  SOURCE_HASH,
  write,
} from "./testing.ts";

const LARGE = { frames: 12, rows: 20_000 }; // 5 MB: streamed; the default of 1 MB goes as a whole

Deno.test("an output has the plugin's columns, then the lineage of each row", async () => {
  await using test = await makeSink();
  const writer = test.sink.open(test.spec());
  const { staged, ...output } = await write(writer, countingFrames(3, 2));
  assert.deepEqual([output.rows, output.topic, output.generation], [6, "sales", 1]);
  assert.equal(output.bytes, (await Deno.stat(staged)).size);
  const rows = await query("SELECT * FROM read_parquet($1)", staged);
  assert.deepEqual(rows[5], {
    id: 5,
    name: "name 5",
    _cf_file_id: FILE_ID,
    _cf_source_hash: SOURCE_HASH,
    _cf_plugin: "csv_demo@1.0.0",
    _cf_row: 5n,
  });
});

Deno.test("a large output, streamed, keeps every row in order across its row groups", async () => {
  await using test = await makeSink();
  const frames = countingFrames(28, 20_000); // more rows than one row group takes
  const { staged, rows } = await write(test.sink.open(test.spec()), frames);
  assert.equal(rows, 560_000);
  const sums = `SELECT count(*) AS n, count(*) FILTER (id = _cf_row) AS same,
    count(DISTINCT _cf_file_id) AS files FROM read_parquet($1)`;
  assert.deepEqual(await query(sums, staged), [{ n: 560000n, same: 560000n, files: 1n }]);
  const [groups] = await query("SELECT num_row_groups FROM parquet_file_metadata($1)", staged);
  assert.equal(groups?.num_row_groups, 2n);
  const last = "SELECT id FROM read_parquet($1) WHERE _cf_row = 559999"; // by the row groups' minima
  assert.deepEqual(await query(last, staged), [{ id: 559999 }]);
});

Deno.test("the same input gives the same bytes, alone or among others, whatever the attempt", async () => {
  await using test = await makeSink();
  for (const { frames, rows } of [LARGE, { frames: 2, rows: 50 }]) {
    const alone = await write(test.sink.open(test.spec()), countingFrames(frames, rows));
    const among = await Promise.all([2, 3, 4].map((attempt) => {
      const writer = test.sink.open(test.spec({ attempt, jobId: attempt }));
      return write(writer, countingFrames(frames, rows));
    }));
    const expected = await Deno.readFile(alone.staged);
    for (const { staged } of among) assert.deepEqual(await Deno.readFile(staged), expected);
  }
});

Deno.test("an output of a schema without rows is a valid file without rows", async () => {
  await using test = await makeSink();
  const empty = () => frameOf({ id: new Int32Array(0), name: [] as string[] });
  const schemaOnly = vectors.find(({ name }) => name === "no rows")!;
  const large = new Uint8Array(2_000_000);
  const { staged, rows } = await write(test.sink.open(test.spec()), [empty(), empty()]);
  assert.equal(rows, 0);
  assert.deepEqual(await query("SELECT * FROM read_parquet($1)", staged), []);
  large.set(Uint8Array.fromBase64(schemaOnly.ipc)); // what follows the end of stream is no matter
  const streamed = await write(test.sink.open(test.spec({ attempt: 2 })), [large]);
  const columns = await query("DESCRIBE SELECT * FROM read_parquet($1)", streamed.staged);
  assert.deepEqual(columns.map(({ column_name }) => column_name).slice(0, 2), [
    "value",
    "_cf_file_id",
  ]);
});

Deno.test("an output without a frame is an error that says what to do", async () => {
  await using test = await makeSink();
  await assert.rejects(test.sink.open(test.spec()).finish(), {
    name: "SinkError",
    message: "Cannot finish an output without a schema as no batch came: yield a table",
  });
});

Deno.test("a batch of another schema is refused by naming the column, and nothing stays", async () => {
  await using test = await makeSink();
  for (const size of [2, 200_000]) {
    const writer = test.sink.open(test.spec());
    const frames = [
      frameOf({ id: Int32Array.from({ length: size }, () => 1) }),
      frameOf({ id: Float64Array.of(1) }),
    ];
    await assert.rejects(write(writer, frames), (error) => {
      assert.ok(error instanceof SinkError && !error.retryable);
      assert.match(error.message, /column 1 was "id" int32.* and is "id" double/);
      return true;
    });
    assert.deepEqual(await filesIn(test.directory), []);
  }
});

Deno.test("bytes that are no Arrow stream are refused and the thread goes on", async () => {
  await using test = await makeSink();
  const good = frameOf({ id: Int32Array.of(1) });
  const cut = good.slice(0, good.length - 40);
  for (const bad of [new Uint8Array(9).fill(1), new Uint8Array(0), cut, good.slice(0, 30)]) {
    const writing = write(test.sink.open(test.spec()), [new Uint8Array(bad)]);
    await assert.rejects(writing, { name: "SinkError", message: /must be an Arrow IPC stream/ });
  }
  assert.equal((await write(test.sink.open(test.spec()), [good])).rows, 1);
});

// Found by flipping bytes: with this offset one off, arrow-rs panics.
function panickingFrame(): Uint8Array<ArrayBuffer> {
  const { ipc } = vectors.find(({ name }) => name === "dictionary of integers")!;
  const frame = Uint8Array.fromBase64(ipc);
  frame[288] = 0x11;
  return frame;
}

Deno.test("a panic of the encoder fails the outputs of its thread, and the next one works", async () => {
  await using test = await makeSink();
  const innocent = test.sink.open(test.spec());
  const large = [...countingFrames(LARGE.frames, LARGE.rows)];
  for (const frame of large.slice(0, 6)) await innocent.write(frame);
  const guilty = write(test.sink.open(test.spec({ attempt: 2 })), [panickingFrame()]);
  await assert.rejects(guilty, { name: "SinkError", message: /unreachable/, retryable: false });
  await assert.rejects(innocent.finish(), { name: "SinkError", retryable: true });
  assert.deepEqual(await filesIn(test.directory), []);
  const after = await write(test.sink.open(test.spec()), countingFrames(1, 5));
  assert.equal(after.rows, 5);
});

Deno.test("a full disk is told by path and reason, and nothing stays behind", async () => {
  await using test = await makeSink();
  const { staged } = await write(test.sink.open(test.spec()), countingFrames(1, 1));
  for (const { frames, rows } of [LARGE, { frames: 1, rows: 5 }]) {
    await Deno.remove(staged).catch(() => {});
    await Deno.symlink("/dev/full", staged); // where every write finds no space
    const writing = write(test.sink.open(test.spec()), countingFrames(frames, rows));
    await assert.rejects(writing, (error) => {
      assert.ok(error instanceof SinkError && error.retryable);
      assert.match(
        error.message,
        /^Cannot write \/.*\.staged: No space left on device; free space/,
      );
      return true;
    });
    assert.deepEqual(await filesIn(test.directory), []);
  }
});

Deno.test("abort() removes what was written, at any moment and more than once", async () => {
  await using test = await makeSink();
  for (const count of [0, 1, 12]) {
    const writer = test.sink.open(test.spec());
    for (const frame of [...countingFrames(12, 20_000)].slice(0, count)) await writer.write(frame);
    await writer.abort();
    await writer.abort();
    await assert.rejects(writer.finish(), { name: "SinkError" });
    assert.deepEqual(await filesIn(test.directory), []);
  }
});

Deno.test("close() aborts what is being written", async () => {
  await using test = await makeSink();
  const writer = test.sink.open(test.spec());
  for (const frame of countingFrames(LARGE.frames, LARGE.rows)) await writer.write(frame);
  await test.sink.close();
  await assert.rejects(writer.finish(), SinkError);
  assert.deepEqual(await filesIn(test.directory), []);
});

Deno.test("an output outside of the sink's folder is refused before anything is written", async () => {
  await using test = await makeSink();
  const outside = [`${test.directory}/../x`, "/tmp/x", "x", `${test.directory}2`];
  for (const directory of outside) {
    assert.throws(() => test.sink.open(test.spec({ directory })), {
      name: "SinkError",
      message: /outputs must lie inside/,
    }, directory);
  }
});

Deno.test("a staged file lies where no reader of *.parquet looks", async () => {
  await using test = await makeSink();
  const { staged, uri } = await write(test.sink.open(test.spec()), countingFrames(1, 1));
  assert.equal(dirname(dirname(staged)), dirname(uri));
  assert.match(staged, /\/\.staging\/north_2024\.csv\.[0-9a-f]{16}\.g1\.parquet\.w1\.a1\.staged$/);
  assert.deepEqual(await filesIn(test.directory), [staged.slice(test.directory.length + 1)]);
});
