/** What tells one content of a file from the next, and when it was written: size, times, inode. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { POLL_MS, ScanWorld, SETTLE_MS } from "./testing.ts";

function sha256(bytes: string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Hashes of all that was told since the last call. */
function taken(world: ScanWorld): string[] {
  return world.take("seen").map(({ contentHash }) => contentHash);
}

/** Writes other bytes of the same length and puts the old mtime back, in place or as another file. */
function forge(world: ScanWorld, path: string, text: string, how: "in place" | "renamed"): void {
  const whole = `${world.root}/${path}`;
  const { mtime } = Deno.statSync(whole);
  const target = how === "renamed" ? `${whole}.tmp` : whole;
  Deno.writeTextFileSync(target, text);
  Deno.utimeSync(target, mtime!, mtime!);
  if (how === "renamed") Deno.renameSync(target, whole);
}

Deno.test("other content of the same size and mtime is noticed by its inode or ctime", async () => {
  for (const how of ["in place", "renamed"] as const) {
    using world = new ScanWorld();
    world.write("x.csv", "before");
    world.stamps.set(`${world.root}/x.csv`, { ctimeMs: 1_000_000 }); // written long ago
    await world.scanNow();
    forge(world, "x.csv", "after!", how);
    world.stamps.delete(`${world.root}/x.csv`);
    await world.scanNow();
    await world.pass(SETTLE_MS + 1_000);
    assert.deepEqual(taken(world), ["before", "after!"].map(sha256), how);
  }
});

// What is not promised: on a share neither inodes nor ctime are asked, as some make them up.
Deno.test("on a share other content of the same size and mtime is not noticed", async () => {
  using world = new ScanWorld();
  world.fileSystem = "nfs";
  world.write("x.csv", "before", 48 * 3_600_000);
  world.stamps.set(`${world.root}/x.csv`, { ctimeMs: 0 });
  await world.scanNow();
  forge(world, "x.csv", "after!", "renamed");
  await world.scanNow();
  await world.pass(5 * POLL_MS);
  assert.deepEqual(taken(world), [sha256("before")]);
});

Deno.test("a touch, a chmod and a new hard link are hashed again and change no content", async () => {
  using world = new ScanWorld();
  world.write("x.csv", "1");
  await world.scanNow();
  world.touch("x.csv", 30_000);
  await world.scanNow();
  world.stamps.set(`${world.root}/x.csv`, { ctimeMs: world.wallMs - 10_000 });
  await world.scanNow();
  assert.deepEqual(taken(world), Array(3).fill(sha256("1")));
  await world.scanNow();
  assert.deepEqual(taken(world), []);
});

Deno.test("an mtime that goes backwards is a change, and dates none", async () => {
  using world = new ScanWorld();
  world.write("x.csv", "1", 30_000);
  await world.scanNow();
  world.write("x.csv", "2", 90_000);
  assert.equal((await world.scanNow()).unsettled, 1);
  await world.pass(SETTLE_MS + 1_000);
  assert.deepEqual(taken(world), ["1", "2"].map(sha256));
});

Deno.test("on a share whose clock is an hour late a file settles by our clock", async () => {
  using world = new ScanWorld();
  world.fileSystem = "smb";
  world.write("x.csv", "half", 3_600_000);
  world.stamps.set(`${world.root}/x.csv`, { ctimeMs: world.wallMs - 3_600_000 });
  assert.deepEqual((await world.scanNow()).isShare, true);
  await world.pass(SETTLE_MS - 1);
  assert.deepEqual(taken(world), []);
  await world.pass(1);
  assert.equal(taken(world).length, 1);
});

Deno.test("a folder that is replaced by a file, and back, is a delete and a new file", async () => {
  using world = new ScanWorld();
  world.write("keep.csv", "1");
  world.write("a/x.csv", "1");
  await world.scanNow();
  Deno.removeSync(`${world.root}/a`, { recursive: true });
  world.write("a", "now a file");
  world.scan.hint("a");
  world.scan.hint("");
  await world.pass(200);
  assert.deepEqual(world.stored(), ["a", "keep.csv"]);
  assert.deepEqual(world.waiting(), []);
  Deno.removeSync(`${world.root}/a`);
  world.write("a/x.csv", "1");
  await world.scanNow();
  assert.deepEqual(world.stored(), ["keep.csv", "a/x.csv"]);
});

Deno.test("a file that is known and arrives anew stays known until it is taken", async () => {
  using world = new ScanWorld();
  world.write("x.json", "[1]", 100_000);
  await world.scanNow();
  world.write("x.json", "[1, 2", SETTLE_MS);
  await world.scanNow();
  assert.deepEqual(world.stored(), ["x.json"]);
  assert.equal(world.waiting().length, 1);
  world.write("x.json", "[1]", SETTLE_MS); // and back
  await world.scanNow();
  await world.pass(SETTLE_MS);
  assert.deepEqual(world.waiting(), []);
  assert.deepEqual(taken(world), Array(2).fill(sha256("[1]")));
});
