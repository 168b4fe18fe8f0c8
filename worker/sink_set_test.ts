import assert from "node:assert/strict";
import { join } from "node:path";
import { SinkSet } from "./sink_set.ts";
import { ParquetSink } from "./sinks/parquet.ts";
import { SinkError } from "./sinks/sink.ts";
import { frameOf, specIn } from "./sinks/testing.ts";
import { liveStarts } from "./start_marks.ts";

interface Bench {
  readonly output: string;
  readonly lake: string;
  start(startId: string): SinkSet;
}

async function withBench(use: (bench: Bench) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  const [output, lake] = [join(root, "out"), join(root, "lake")];
  const started: SinkSet[] = [];
  const start = (startId: string) => {
    const make = (directory: string) => new ParquetSink({ directory, startId });
    const sinks = new SinkSet({ output, maps: { lake } }, startId, make);
    started.push(sinks);
    sinks.start();
    return sinks;
  };
  try {
    await use({ output, lake, start });
  } finally {
    for (const sinks of started) await sinks.stop();
    await Deno.remove(root, { recursive: true });
  }
}

async function stage(sinks: SinkSet, directory: string, generation = 1) {
  const writer = sinks.open({ ...specIn(directory), directory, generation });
  await writer.write(frameOf({ n: [1, 2] }));
  return await writer.finish();
}

async function age(path: string): Promise<void> {
  const longAgo = new Date(Date.now() - 3_600_000);
  await Deno.utime(path, longAgo, longAgo);
}

const exists = (path: string) => Deno.stat(path).then(() => true, () => false);

Deno.test("an output lands in the sink whose folder it lies in, and replaces what is retired", async () => {
  await withBench(async ({ output, lake, start }) => {
    const sinks = start("one");
    for (const directory of [join(output, "t"), join(lake, "deep", "t")]) {
      const [first, second] = [await stage(sinks, directory), await stage(sinks, directory, 2)];
      await sinks.promote(first);
      await sinks.promote(second);
      await sinks.retire([first.uri]);
      assert.deepEqual([await exists(first.uri), await exists(second.uri)], [false, true]);
    }
  });
});

Deno.test("nothing is opened, promoted or removed outside of the folders", async () => {
  await withBench(async ({ output, start }) => {
    const sinks = start("one");
    const outside = `${output}-other/t`;
    assert.throws(() => sinks.open({ ...specIn(outside), directory: outside }), SinkError);
    const staged = await stage(sinks, join(output, "t"));
    await assert.rejects(sinks.promote({ ...staged, uri: `${outside}/a.parquet` }), SinkError);
    await assert.rejects(sinks.retire([`${outside}/a.parquet`]), SinkError);
  });
});

Deno.test("a discarded output leaves nothing", async () => {
  await withBench(async ({ output, start }) => {
    const sinks = start("one");
    const staged = await stage(sinks, join(output, "t"));
    await sinks.discard([staged]);
    await sinks.discard([staged]);
    assert.deepEqual([await exists(staged.staged), await exists(staged.uri)], [false, false]);
  });
});

Deno.test("a sweep removes old leftovers of dead starts, and nothing that somebody may still want", async () => {
  await withBench(async ({ output, start }) => {
    const directory = join(output, "team", "t");
    const dead = start("dead");
    const [old, recent, kept] = [
      await stage(dead, directory),
      await stage(dead, directory, 2),
      await stage(dead, directory, 3),
    ];
    await dead.stop();
    const other = start("other");
    const running = await stage(other, directory, 4);
    for (const { staged } of [old, kept, running]) await age(staged);
    const mine = start("mine");
    await mine.sweep([kept.staged]);
    const left = await Promise.all(
      [old, recent, kept, running].map(({ staged }) => exists(staged)),
    );
    assert.deepEqual(left, [false, true, true, true]);
  });
});

Deno.test("a start is live until it stops, or its process ends", async () => {
  await withBench(async ({ output, start }) => {
    const one = start("one");
    await Deno.writeTextFile(join(output, ".workers", "killed.lock"), "");
    assert.deepEqual(await liveStarts(output), new Set(["one"]));
    assert.equal(await exists(join(output, ".workers", "killed.lock")), false);
    await one.stop();
    assert.deepEqual(await liveStarts(output), new Set());
  });
});

// Goal: `--map in=/mnt/share` is also how a host says where a source root is, often mounted read-only.
Deno.test("nothing is made in a mapped folder before the first output is written there", async () => {
  await withBench(async ({ output, lake, start }) => {
    await Deno.mkdir(lake);
    const sinks = start("one");
    await sinks.sweep([]);
    assert.deepEqual([...Deno.readDirSync(lake)], []);
    await stage(sinks, join(lake, "t"));
    assert.deepEqual(await liveStarts(lake), new Set(["one"]));
    await sinks.stop();
    assert.deepEqual(await liveStarts(lake), new Set());
    assert.deepEqual(await liveStarts(output), new Set());
  });
});

Deno.test("a folder that cannot be written to is refused with what to do", async () => {
  await withBench(async ({ lake, start }) => {
    await Deno.writeTextFile(lake, "a file");
    const sinks = start("one");
    const directory = join(lake, "t");
    const open = () => sinks.open({ ...specIn(directory), directory });
    assert.throws(open, /Cannot write to .*lake: .*choose another folder/);
  });
});
