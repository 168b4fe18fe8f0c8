import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { Observations } from "./observations.ts";
import { Scanner, type ScannerOptions, type ScannerRoot } from "./scanner.ts";

const FILES =
  `CREATE TABLE files (root_id, folder, name, size, mtime_ms, ctime_ms, inode, problem, arriving,
  current_version_id DEFAULT 1, deleted_at_ms, PRIMARY KEY (root_id, folder, name))`;

/** A root, a database with the one table that the thread reads, and a scanner that never polls by itself. */
class Site {
  readonly directory = Deno.makeTempDirSync({ prefix: "casparian-scanner-" });
  readonly root = `${this.directory}/root`;
  readonly databasePath = `${this.directory}/store.db`;
  readonly database: DatabaseSync;
  readonly scanner: Scanner;
  readonly told: Observations[] = [];
  readonly failed = Promise.withResolvers<Error>();
  #changed = Promise.withResolvers<void>();

  constructor(options: Partial<ScannerOptions> = {}) {
    Deno.mkdirSync(this.root);
    this.database = new DatabaseSync(this.databasePath);
    this.database.exec(`PRAGMA journal_mode = WAL; ${FILES}`);
    this.scanner = new Scanner({
      databasePath: this.databasePath,
      excludedFolders: [],
      // deno-lint-ignore require-await
      onObservations: async (observations) => this.store(observations),
      onFailure: (error) => this.failed.resolve(error),
      ...options,
    });
    this.setRoots(this.root);
  }

  setRoots(...directories: string[]): void {
    this.setRules({}, ...directories);
  }

  /** The first root with these rules, the others without any. */
  setRules(rules: Partial<ScannerRoot>, ...directories: string[]): void {
    this.scanner.setRoots(directories.map((directory, index) => ({
      ...{ rootId: index + 1, name: `in${index}`, directory, settleMs: 50, pollMs: 3_600_000 },
      ...index === 0 ? rules : {},
    })));
  }

  write(path: string, text: string): void {
    Deno.mkdirSync(`${this.root}/${path.split("/").slice(0, -1).join("/")}`, { recursive: true });
    Deno.writeTextFileSync(`${this.root}/${path}`, text);
    Deno.utimeSync(`${this.root}/${path}`, 1_700_000_000, 1_700_000_000);
  }

  store(observations: Observations): void {
    this.told.push(observations);
    const insert = this.database.prepare(
      "INSERT OR REPLACE INTO files (root_id, folder, name, size, mtime_ms) VALUES (?, ?, ?, ?, ?)",
    );
    for (const { folder, name, size, mtimeMs } of observations.seen) {
      insert.run(observations.rootId, folder, name, size, mtimeMs);
    }
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  seen(): string[] {
    const files = this.told.flatMap((observations) => observations.seen);
    return files.map(({ folder, name }) => folder === "" ? name : `${folder}/${name}`).sort();
  }

  /** Resolves when so many files were told. */
  async until(files: number): Promise<void> {
    while (this.seen().length < files) await this.#changed.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scanner.stop();
    this.database.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

Deno.test("scanNow() resolves when all that the walk told is stored", async () => {
  await using site = new Site();
  for (let i = 0; i < 1_200; i++) site.write(`d${i % 7}/f${i}.csv`, `${i}`);
  site.scanner.start();
  const [summary] = await site.scanner.scanNow();
  assert.deepEqual([summary?.files, summary?.folders, summary?.refused], [1_200, 8, 0]);
  assert.equal(site.seen().length, 1_200);
  const [again] = await site.scanner.scanNow(1);
  assert.equal(again?.seen, 0);
  assert.equal(site.seen().length, 1_200);
});

Deno.test("a scanner that starts anew tells nothing that is stored already", async () => {
  await using site = new Site();
  site.write("x.csv", "1");
  site.scanner.start();
  await site.scanner.scanNow();
  await site.scanner.stop();
  site.scanner.start();
  const [summary] = await site.scanner.scanNow();
  assert.deepEqual([summary?.files, summary?.seen], [1, 0]);
});

Deno.test("files are noticed without a walk, also in folders that are made with them", async () => {
  await using site = new Site();
  site.scanner.start();
  await site.scanner.scanNow();
  site.write("x.csv", "1");
  site.write("new/deep/y.csv", "1");
  await site.until(2);
  assert.deepEqual(site.seen(), ["new/deep/y.csv", "x.csv"]);
});

Deno.test("what the callback could not store is told again", async () => {
  let refuse = true;
  await using site = new Site({
    // deno-lint-ignore require-await
    onObservations: async (observations) => {
      if (refuse) throw new Error("disk full");
      site.store(observations);
    },
  });
  site.write("x.csv", "1");
  site.scanner.start();
  const [refused] = await site.scanner.scanNow();
  assert.ok(refused!.refused > 0);
  refuse = false;
  const [stored] = await site.scanner.scanNow();
  assert.deepEqual([stored?.seen, stored?.refused, site.seen()], [1, 0, ["x.csv"]]);
});

Deno.test("four batches may be under way at once, and no more", async () => {
  let underWay = 0;
  let most = 0;
  const four = Promise.withResolvers<void>();
  await using site = new Site({
    onObservations: async (observations) => {
      most = Math.max(most, ++underWay);
      if (underWay === 4) setTimeout(four.resolve, 100); // a fifth would have come by then
      await four.promise;
      underWay--;
      site.store(observations);
    },
  });
  for (let i = 0; i < 5_000; i++) site.write(`f${i}.csv`, "");
  site.scanner.start();
  await site.scanner.scanNow();
  assert.equal(site.seen().length, 5_000);
  assert.equal(most, 4);
});

Deno.test("stop() ends a scan that hashes a big file, and may be called twice", async () => {
  await using site = new Site();
  Deno.writeFileSync(`${site.root}/big.bin`, new Uint8Array());
  Deno.truncateSync(`${site.root}/big.bin`, 200 * 2 ** 30); // sparse: minutes of hashing
  Deno.utimeSync(`${site.root}/big.bin`, 1, 1);
  site.scanner.start();
  const scan = site.scanner.scanNow();
  const rejected = assert.rejects(scan, /the scanner must run: it was stopped/);
  const startMs = performance.now();
  await Promise.all([site.scanner.stop(), site.scanner.stop()]);
  assert.ok(performance.now() - startMs < 4_000);
  await rejected;
  await assert.rejects(site.scanner.scanNow(), /start it first/);
});

Deno.test("stop() waits for the batch that is being stored", async () => {
  const store = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  await using site = new Site({
    onObservations: () => {
      begun.resolve();
      return store.promise;
    },
  });
  site.write("x.csv", "1");
  site.scanner.start();
  await begun.promise;
  let stopped = false;
  const stop = site.scanner.stop().then(() => stopped = true);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(stopped, false);
  store.resolve();
  await stop;
});

Deno.test("a thread that dies is reported, and so is the scan that waited for it", async () => {
  await using site = new Site({ databasePath: "/nowhere/store.db" });
  site.scanner.start();
  await assert.rejects(site.scanner.scanNow(), /the thread must not fail: .*unable to open/);
  assert.match((await site.failed.promise).message, /the thread must not fail/);
});

Deno.test("a root that is removed ends the scan that was asked for, others go on", async () => {
  await using site = new Site();
  const other = Deno.makeTempDirSync({ dir: site.directory });
  site.setRoots(site.root, other);
  site.scanner.start();
  const scans = site.scanner.scanNow();
  site.setRoots(site.root);
  const [kept, removed] = await scans;
  assert.equal(kept?.problem, null);
  assert.equal(removed?.problem?.kind, "root_removed");
  await assert.rejects(site.scanner.scanNow(2), RangeError);
});

Deno.test("a root that is not there at first is scanned and watched once it is", async () => {
  await using site = new Site();
  Deno.removeSync(site.root);
  site.scanner.start();
  const [missing] = await site.scanner.scanNow();
  assert.equal(missing?.problem?.kind, "root_unavailable");
  Deno.mkdirSync(site.root);
  await site.scanner.scanNow();
  site.write("x.csv", "1");
  await site.until(1);
});

Deno.test("a root that is only polled gives no hints: what happens there waits for a walk", async () => {
  await using site = new Site();
  const watched = Deno.makeTempDirSync({ dir: site.directory });
  site.setRules({ pollOnly: true }, site.root, watched);
  site.scanner.start();
  const summaries = await site.scanner.scanNow();
  assert.deepEqual(summaries.map(({ isShare }) => isShare), [true, false]);
  Deno.writeTextFileSync(`${site.root}/polled.csv`, "1");
  for (let round = 1; round <= 3; round++) { // each takes as long as the other one would
    Deno.writeTextFileSync(`${watched}/watched_${round}.csv`, "1");
    await site.until(round);
  }
  assert.deepEqual(site.seen(), ["watched_1.csv", "watched_2.csv", "watched_3.csv"]);
  await site.scanner.scanNow(); // which is where its file is first looked at, and begins to settle
  await site.until(4);
});

Deno.test("new rules begin with what the old ones told, also if that is still being stored", async () => {
  const held = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const arriving: string[] = [];
  const over: string[] = [];
  let hasNewRules = false;
  await using site = new Site({
    onObservations: async (observations) => {
      begun.resolve();
      await held.promise;
      site.database.prepare("DELETE FROM files WHERE arriving IS NOT NULL").run();
      const insert = site.database.prepare(
        "INSERT INTO files (root_id, folder, name, arriving, current_version_id) VALUES (1, ?, ?, '', NULL)",
      );
      for (const { folder, name } of observations.arriving) insert.run(folder, name);
      arriving.push(...observations.arriving.map(({ name }) => name));
      over.push(...observations.mended.map(({ name }) => name));
    },
    // The walk under the new rules: too early, if it comes before what was told is stored.
    onScanned: ({ problem }) => hasNewRules && problem === null ? held.resolve() : undefined,
  });
  site.scanner.start();
  await site.scanner.scanNow();
  Deno.writeTextFileSync(`${site.root}/x.json`, "[1");
  await begun.promise;
  hasNewRules = true;
  site.setRules({ ignore: ["*.json"] }, site.root);
  const scan = site.scanner.scanNow();
  const timer = setTimeout(held.resolve, 300);
  await scan;
  clearTimeout(timer);
  assert.deepEqual([arriving, over], [["x.json"], ["x.json"]]);
});
