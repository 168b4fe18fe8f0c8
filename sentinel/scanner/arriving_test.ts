/** Files that are still arriving, in one root on the real disk, with a clock that moves only when told to. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { PATIENCE_MS, POLL_MS, ScanWorld, SETTLE_MS } from "./testing.ts";

const WHOLE = gzipSync("row\n".repeat(50_000));
const HALF = WHOLE.subarray(0, WHOLE.length / 2);

function sha256(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Hashes and notes of all that was told since the last call. */
function taken(world: ScanWorld): [string, string | null][] {
  return world.take("seen").map(({ contentHash, note }) => [contentHash, note]);
}

Deno.test("a file without its end is arriving until the end is there, and is then taken once", async () => {
  using world = new ScanWorld();
  world.write("a/x.gz", HALF, SETTLE_MS);
  const summary = await world.scanNow();
  assert.equal(summary.unsettled, 1);
  const why = "its gzip trailer is not there yet; it is taken as it is once unchanged for 60 s";
  assert.equal(summary.unsettledSuchAs, `a/x.gz: ${why}`);
  assert.deepEqual(world.waiting(), [["a/x.gz", why]]);
  await world.pass(PATIENCE_MS - SETTLE_MS - 1);
  assert.deepEqual(taken(world), []);
  world.write("a/x.gz", WHOLE, 0);
  await world.pass(SETTLE_MS + POLL_MS);
  assert.deepEqual(taken(world), [[sha256(WHOLE), null]]);
  assert.deepEqual(world.waiting(), []);
  assert.equal((await world.scanNow()).unsettled, 0);
});

Deno.test("a file whose end never comes is taken as it is after the patience, with a note", async () => {
  using world = new ScanWorld();
  world.write("x.gz", HALF, 0);
  await world.scanNow();
  await world.pass(PATIENCE_MS - 1);
  assert.deepEqual(taken(world), []);
  await world.pass(1);
  const note = "Taken although its gzip trailer was not there after 60 s without a change";
  assert.deepEqual(taken(world), [[sha256(HALF), note]]);
  assert.deepEqual(world.waiting(), []);
  assert.equal((await world.scanNow()).unsettled, 0);
});

Deno.test("each change of a file without its end begins the patience anew", async () => {
  using world = new ScanWorld();
  for (let part = 1; part <= 5; part++) {
    world.write("x.gz", WHOLE.subarray(0, part * 10), 0);
    await world.scanNow();
    await world.pass(PATIENCE_MS - 1000);
  }
  assert.deepEqual(taken(world), []);
  await world.pass(1000);
  assert.equal(taken(world).length, 1);
});

Deno.test("a broken file that nobody has touched for long is taken at first sight, with a note", async () => {
  using world = new ScanWorld();
  world.write("x.parquet", "PAR1 and then nothing", PATIENCE_MS);
  await world.scanNow();
  assert.match(taken(world)[0]![1]!, /^Taken although its Parquet footer was not there/);
});

Deno.test("a file that is taken whole loses the note of the one before", async () => {
  using world = new ScanWorld();
  world.write("x.json", "[1, 2", PATIENCE_MS);
  await world.scanNow();
  world.write("x.json", "[1, 2]", PATIENCE_MS - 1000);
  await world.scanNow();
  assert.deepEqual(taken(world).map(([, note]) => note !== null), [true, false]);
});

Deno.test("a file that changes in nothing but its last bytes has to settle anew", async () => {
  using world = new ScanWorld([], { pollOnly: true }); // as on a share that tells times late
  world.write("x.csv", "laid out, not filled", 0);
  const { mtime } = Deno.statSync(`${world.root}/x.csv`);
  await world.scanNow();
  await world.pass(SETTLE_MS - 1);
  Deno.writeTextFileSync(`${world.root}/x.csv`, "row;row;row;row;row\n");
  Deno.utimeSync(`${world.root}/x.csv`, mtime!, mtime!);
  await world.pass(1);
  assert.deepEqual(taken(world), []);
  await world.pass(SETTLE_MS);
  assert.deepEqual(taken(world), [[sha256("row;row;row;row;row\n"), null]]);
});

Deno.test("the end that comes without a new time is noticed within the poll time", async () => {
  using world = new ScanWorld([], { pollOnly: true });
  const laidOut = new Uint8Array(WHOLE.length);
  laidOut.set(HALF);
  world.write("x.gz", laidOut, 0);
  const { mtime } = Deno.statSync(`${world.root}/x.gz`);
  await world.scanNow();
  await world.pass(2 * SETTLE_MS);
  Deno.writeFileSync(`${world.root}/x.gz`, WHOLE);
  Deno.utimeSync(`${world.root}/x.gz`, mtime!, mtime!);
  await world.pass(POLL_MS + SETTLE_MS);
  assert.deepEqual(taken(world), [[sha256(WHOLE), null]]);
});

Deno.test("a file that is written for longer than it settles is told to be arriving", async () => {
  using world = new ScanWorld();
  for (let rows = 1; rows < 5; rows++) {
    world.write("x.csv", "row\n".repeat(rows), 0);
    await world.scanNow();
    await world.pass(SETTLE_MS - 500);
  }
  const why = "it is still being written; it is taken once unchanged for 2 s";
  assert.deepEqual(world.waiting(), [["x.csv", why]]);
  await world.pass(SETTLE_MS);
  assert.deepEqual(world.waiting(), []);
  assert.equal(taken(world).length, 1);
});

Deno.test("a file that settles in the usual time is not told twice", async () => {
  using world = new ScanWorld();
  world.write("x.csv", "1", 0);
  await world.scanNow();
  await world.pass(SETTLE_MS);
  assert.equal(world.take("arriving").length, 0);
  assert.equal(taken(world).length, 1);
});

Deno.test("what was arriving and goes away is arriving no more", async () => {
  using world = new ScanWorld();
  world.write("keep.csv", "1");
  world.write("a/x.gz", HALF, SETTLE_MS);
  world.write("y.gz", HALF, SETTLE_MS);
  await world.scanNow();
  Deno.removeSync(`${world.root}/a`, { recursive: true });
  Deno.removeSync(`${world.root}/y.gz`);
  assert.equal((await world.scanNow()).unsettled, 0);
  assert.deepEqual(world.waiting(), []);
  assert.deepEqual(world.take("deleted"), []);
});

Deno.test("what went away while nobody looked is neither arriving nor a problem after a restart", async () => {
  using world = new ScanWorld();
  world.write("keep.csv", "1");
  world.write("a/x.gz", HALF, SETTLE_MS);
  world.write("b/y.csv", "1");
  world.broken.set(`${world.root}/b/y.csv`, new Deno.errors.PermissionDenied("no"));
  await world.scanNow();
  assert.deepEqual(world.waiting().map(([path]) => path), ["a/x.gz", "b/y.csv"]);
  Deno.removeSync(`${world.root}/a`, { recursive: true });
  Deno.removeSync(`${world.root}/b/y.csv`);
  world.restart();
  await world.scanNow();
  assert.deepEqual(world.waiting(), []);
});

Deno.test("a restart tells nothing again, and goes on waiting", async () => {
  using world = new ScanWorld();
  world.write("x.gz", HALF, SETTLE_MS);
  await world.scanNow();
  assert.equal(world.take("arriving").length, 1);
  world.restart();
  await world.scanNow();
  assert.equal(world.take("arriving").length, 0);
  await world.pass(PATIENCE_MS);
  assert.equal(taken(world).length, 1);
});

Deno.test("that a file is arriving or unreadable is told again if the store refused it", async () => {
  using world = new ScanWorld();
  world.write("x.gz", HALF, SETTLE_MS);
  world.write("y.csv", "1");
  world.broken.set(`${world.root}/y.csv`, new Deno.errors.PermissionDenied("no"));
  world.refuse = true;
  await world.scanNow();
  world.refuse = false;
  await world.scanNow();
  assert.deepEqual(world.waiting().map(([path]) => path), ["x.gz", "y.csv"]);
});

Deno.test("that a file is arriving no more is told again if the store refused it", async () => {
  using world = new ScanWorld();
  world.write("keep.csv", "1");
  world.write("x.gz", HALF, SETTLE_MS);
  await world.scanNow();
  Deno.removeSync(`${world.root}/x.gz`);
  world.refuse = true;
  await world.scanNow();
  world.refuse = false;
  await world.scanNow();
  assert.deepEqual(world.waiting(), []);
});

Deno.test("a file counts only beside its marker, and then at once", async () => {
  using world = new ScanWorld([], { marker: "*.done" });
  world.write("x.csv", "1");
  await world.scanNow();
  await world.pass(SETTLE_MS);
  assert.deepEqual(world.waiting(), [["x.csv", "its marker x.csv.done is not there yet"]]);
  world.write("x.csv", "12", 0);
  world.write("x.csv.done", "", 0);
  await world.scanNow();
  assert.deepEqual(taken(world), [[sha256("12"), null]]);
  assert.deepEqual(world.stored(), ["x.csv"]);
  assert.deepEqual(world.waiting(), []);
});

Deno.test("a hint of a marker brings in its file", async () => {
  using world = new ScanWorld([], { marker: "{stem}.ok" });
  world.write("a/x.csv", "1");
  await world.scanNow();
  world.write("a/x.ok", "", 0);
  world.scan.hint("a");
  await world.pass(200);
  assert.deepEqual(world.stored(), ["a/x.csv"]);
  assert.equal(world.summaries.length, 1);
});

Deno.test("a file without its marker is never taken, but not waited for beyond the patience", async () => {
  using world = new ScanWorld([], { marker: "_SUCCESS" });
  world.write("x.csv", "1", 0);
  assert.equal((await world.scanNow()).unsettled, 1);
  await world.pass(PATIENCE_MS);
  assert.equal((await world.scanNow()).unsettled, 0);
  await world.pass(10 * PATIENCE_MS);
  assert.deepEqual(world.stored(), []);
  assert.equal(world.waiting().length, 1);
});

Deno.test("a file that is newer than its marker waits for a new one, and not for ever", async () => {
  using world = new ScanWorld([], { marker: "*.done" });
  world.write("x.csv", "1", 20_000);
  world.write("x.csv.done", "", 10_000);
  await world.scanNow();
  assert.equal(taken(world).length, 1);
  world.write("x.csv", "22", 5_000);
  await world.scanNow();
  assert.match(
    world.waiting()[0]![1],
    /^its marker x.csv.done is older than it; it is taken as it is/,
  );
  await world.pass(PATIENCE_MS - 5_000 - 1);
  assert.deepEqual(taken(world), []);
  await world.pass(1);
  assert.match(taken(world)[0]![1]!, /^Taken although its marker x.csv.done was older than it/);
  world.write("x.csv", "333", 2_000);
  world.write("x.csv.done", "", 1_000);
  await world.scanNow();
  assert.deepEqual(taken(world), [[sha256("333"), null]]);
});

Deno.test("the writer's word counts more than a look at the end", async () => {
  using world = new ScanWorld([], { marker: "*.done" });
  world.write("x.gz", HALF, 0);
  world.write("x.gz.done", "", 0);
  await world.scanNow();
  assert.deepEqual(taken(world), [[sha256(HALF), null]]);
});

Deno.test("a file is ignored until it is renamed to its final name", async () => {
  using world = new ScanWorld([], { partial: ["default", "*.uploading"] });
  world.write("x.csv.filepart", "1");
  world.write("y.csv.uploading", "1");
  await world.scanNow();
  assert.deepEqual(world.stored(), []);
  Deno.renameSync(`${world.root}/x.csv.filepart`, `${world.root}/x.csv`);
  Deno.renameSync(`${world.root}/y.csv.uploading`, `${world.root}/y.csv`);
  await world.scanNow();
  assert.deepEqual(world.stored(), ["x.csv", "y.csv"]);
});

Deno.test("rules that change lose nothing and double nothing", async () => {
  using world = new ScanWorld();
  world.write("x.csv", "1");
  world.write("x.bak", "1");
  world.write("old/y.csv", "1");
  await world.scanNow();
  world.take("seen");
  world.restart({ ignore: ["*.bak", "old"], settleMs: 5_000 });
  await world.scanNow();
  assert.deepEqual(world.take("deleted"), [
    { folder: "", name: "x.bak", ignored: true },
    { folder: "old", name: "y.csv", ignored: true },
  ]);
  assert.deepEqual(world.stored(), ["x.csv"]);
  world.restart({ ignore: [], marker: "*.done" });
  await world.scanNow();
  assert.deepEqual(world.take("seen"), []); // what was known stays, what is new to it needs a marker
  assert.deepEqual(world.take("deleted"), []);
  world.restart({ marker: null });
  await world.scanNow();
  assert.deepEqual(world.stored(), ["x.bak", "x.csv", "old/y.csv"]);
  assert.equal(world.take("seen").length, 2);
});

Deno.test("a shorter patience applies to what is waiting already", async () => {
  using world = new ScanWorld();
  world.write("x.gz", HALF, 0);
  await world.scanNow();
  await world.pass(10_000);
  world.restart({ patienceMs: 5_000 });
  await world.scanNow();
  assert.match(taken(world)[0]![1]!, /after 5 s without a change$/);
  assert.deepEqual(world.waiting(), []);
});
