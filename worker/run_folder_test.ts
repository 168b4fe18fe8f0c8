import assert from "node:assert/strict";
import { join } from "node:path";
import { RunFolder } from "./run_folder.ts";

const logger = { log() {} };

async function withParent(use: (parent: string) => Promise<void>): Promise<void> {
  const parent = await Deno.makeTempDir();
  try {
    await use(parent);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

/** What a worker that was killed leaves: its lock file, which nobody holds. */
async function leaveDead(path: string): Promise<void> {
  await Deno.mkdir(join(path, "scratch"), { recursive: true });
  await Deno.writeTextFile(join(path, "worker.lock"), "");
}

Deno.test("a run folder is for its user alone, and is gone afterwards", async () => {
  await withParent(async (parent) => {
    const folder = await RunFolder.open(join(parent, "a"), logger);
    const { mode } = await Deno.stat(folder.path);
    assert.equal(mode! & 0o777, 0o700);
    await folder.close();
    await folder.close();
    assert.deepEqual(await names(parent), []);
  });
});

Deno.test("dead workers' folders are removed, those of live ones and of others are not", async () => {
  await withParent(async (parent) => {
    const live = await RunFolder.open(join(parent, "live"), logger);
    await leaveDead(join(parent, "dead"));
    await Deno.mkdir(join(parent, "no-worker"));
    await Deno.writeTextFile(join(parent, "sentinel.sock"), "");
    const mine = await RunFolder.open(join(parent, "mine"), logger);
    assert.deepEqual(await names(parent), ["live", "mine", "no-worker", "sentinel.sock"]);
    await mine.close();
    await live.close();
  });
});

// Goal: a compiled worker is given the same folder at each start.
Deno.test("a folder that a dead worker had is taken over empty; one that is in use is refused", async () => {
  await withParent(async (parent) => {
    const path = join(parent, "compiled");
    await leaveDead(path);
    const folder = await RunFolder.open(path, logger);
    assert.deepEqual(await names(path), ["worker.lock"]);
    await assert.rejects(
      RunFolder.open(path, logger),
      /another worker runs in .*compiled/,
    );
    await folder.close();
  });
});

Deno.test("what was in a folder that is no worker's stays", async () => {
  await withParent(async (parent) => {
    await Deno.writeTextFile(join(parent, "mine"), "");
    const folder = await RunFolder.open(parent, logger);
    assert.deepEqual(await names(parent), ["mine", "worker.lock"]);
    await Deno.remove(join(parent, "mine"));
    await folder.close();
    await Deno.mkdir(parent);
  });
});

Deno.test("workers that start at the same time beside a dead one all get their folders", async () => {
  await withParent(async (parent) => {
    for (let round = 0; round < 20; round++) {
      await leaveDead(join(parent, "dead"));
      const own = ["a", "b", "c", "d"];
      const opened = await Promise.all(
        own.map((name) => RunFolder.open(join(parent, name), logger)),
      );
      assert.deepEqual(await names(parent), own);
      for (const { path } of opened) await Deno.stat(join(path, "worker.lock"));
      for (const folder of opened) await folder.close();
    }
  });
});
