import assert from "node:assert/strict";
import { Arrivals, UNSETTLED_MAX } from "./arrivals.ts";
import type { FoundFile } from "./folder_listing.ts";

const SETTLE_MS = 2_000;
const PATIENCE_MS = 60_000;
const DAY_MS = 24 * 3_600_000;

class ArrivalsWorld {
  nowMs = 0;
  isShare = false;
  tail = "tail";
  readonly arrivals: Arrivals;

  constructor(settleMs = SETTLE_MS) {
    this.arrivals = new Arrivals({
      times: { settleMs, patienceMs: PATIENCE_MS, relookMs: 10_000 },
      clock: { nowMs: () => this.nowMs, wallMs: () => this.wallMs },
      isShare: () => this.isShare,
      tailOf: () => this.tail,
    });
  }

  /** Odd, so that no mtime here is a whole second by accident. */
  get wallMs(): number {
    return 1_000_000_007 + this.nowMs;
  }

  file(name: string, ageMs: number, over: Partial<FoundFile> = {}): FoundFile {
    const mtimeMs = this.wallMs - ageMs;
    return { name, size: 1, mtimeMs, ctimeMs: mtimeMs, inode: 1, marker: null, ...over };
  }

  /** Names of the files that are ready. */
  admit(folder: string, ...files: FoundFile[]): string[] {
    return this.arrivals.admit(folder, files).map(({ file }) => file.name);
  }

  due(): string[] {
    return this.arrivals.takeDue().map(({ file }) => file.name);
  }

  /** How long the only file waits from now on. */
  get waitsMs(): number {
    return this.arrivals.nextDueMs - this.nowMs;
  }
}

Deno.test("admit() returns what has been still for the settle time, to the millisecond", () => {
  const world = new ArrivalsWorld();
  const files = [world.file("old", SETTLE_MS), world.file("young", SETTLE_MS - 1)];
  assert.deepEqual(world.admit("a", ...files), ["old"]);
  assert.equal(world.waitsMs, 1);
});

Deno.test("takeDue() takes each file once, and not before it is due", () => {
  const world = new ArrivalsWorld();
  world.admit("a", world.file("x", 500), world.file("y", 0));
  world.nowMs += 1_500;
  assert.deepEqual(world.due(), ["x"]);
  assert.deepEqual(world.due(), []);
  assert.equal(world.arrivals.size, 1);
  world.nowMs += 500;
  assert.deepEqual(world.due(), ["y"]);
  assert.equal(world.arrivals.nextDueMs, Infinity);
});

Deno.test("seeing the same file again does not make it wait longer, seeing it changed does", () => {
  const world = new ArrivalsWorld();
  const ahead = world.file("x", -60_000); // its mtime lies in the future
  world.admit("a", ahead);
  world.nowMs += 1_000;
  world.admit("a", ahead);
  assert.equal(world.waitsMs, 1_000);
  world.admit("a", { ...ahead, size: 2 });
  world.nowMs += 999;
  assert.deepEqual(world.due(), []);
});

Deno.test("a file that was seen changing is no older than that, whatever its mtime says", () => {
  const world = new ArrivalsWorld();
  world.admit("a", world.file("x", 0));
  world.nowMs += 300;
  world.admit("a", world.file("x", 0));
  world.nowMs += 500;
  assert.deepEqual(world.admit("a", world.file("x", DAY_MS, { size: 2 })), []);
  assert.equal(world.waitsMs, SETTLE_MS - 500);
});

Deno.test("an mtime that is not newer than the known one dates no change: ctime does, or first sight", () => {
  const admit = (over: Partial<FoundFile>) => {
    const world = new ArrivalsWorld();
    const known = world.file("x", DAY_MS);
    world.arrivals.admit("a", [{ ...world.file("x", DAY_MS), ...over }], new Map([["x", known]]));
    return world.waitsMs;
  };
  const { wallMs } = new ArrivalsWorld();
  assert.equal(admit({ size: 2, ctimeMs: wallMs - 1_500 }), SETTLE_MS - 1_500 + 999);
  assert.equal(admit({ size: 2, ctimeMs: wallMs - 10_000 }), Infinity); // nothing waits: it is ready
  assert.equal(admit({ size: 2, inode: null, ctimeMs: null }), SETTLE_MS);
  assert.equal(admit({ mtimeMs: wallMs - 2 * DAY_MS, inode: null }), SETTLE_MS);
  assert.equal(admit({ mtimeMs: wallMs - DAY_MS / 2, inode: null }), Infinity);
});

Deno.test("on a share a file is watched for the settle time, unless it is older than clocks can differ", () => {
  const world = new ArrivalsWorld();
  world.isShare = true;
  const files = [world.file("hour", 3_600_000), world.file("week", 7 * DAY_MS)];
  const young = world.file("copied", 7 * DAY_MS, { ctimeMs: world.wallMs - 60_000 });
  assert.deepEqual(world.admit("a", ...files, young), ["week"]);
  assert.equal(world.waitsMs, SETTLE_MS);
  world.nowMs += SETTLE_MS;
  assert.deepEqual(world.due().sort(), ["copied", "hour"]);
});

// FAT and some shares round down to even seconds: the file may be younger than it seems.
Deno.test("a time in whole seconds may have been two seconds later", () => {
  const world = new ArrivalsWorld();
  const mtimeMs = Math.floor((world.wallMs - 5_000) / 1000) * 1000;
  const ageMs = world.wallMs - mtimeMs - 1_999;
  assert.deepEqual(world.admit("a", world.file("x", 0, { mtimeMs })), ["x"]);
  world.admit("a", world.file("y", 0, { mtimeMs: mtimeMs + 2_000 }));
  assert.equal(world.waitsMs, SETTLE_MS - ageMs + 2_000);
});

Deno.test("a folder's files that are no longer there are forgotten", () => {
  const world = new ArrivalsWorld();
  world.admit("a", world.file("x", 0));
  world.admit("a");
  assert.equal(world.arrivals.size, 0);
  assert.equal(world.waitsMs, Infinity);
});

Deno.test("a file put back waits although its mtime is old, even without a settle time", () => {
  for (const settleMs of [SETTLE_MS, 0]) {
    const world = new ArrivalsWorld(settleMs);
    const [arrival] = world.arrivals.admit("a", [world.file("x", 3_600_000)]);
    world.arrivals.putBack(arrival!, world.file("x", 3_600_000), null);
    assert.deepEqual(world.due(), []);
    world.nowMs += Math.max(settleMs, 100);
    assert.deepEqual(world.due(), ["x"]);
  }
});

Deno.test("a file without its end is looked at again and again until the patience ends", () => {
  const world = new ArrivalsWorld();
  let [arrival] = world.arrivals.admit("a", [world.file("x", SETTLE_MS)]);
  const waits: number[] = [];
  while (!world.arrivals.isOverdue(arrival!)) {
    world.arrivals.keepOpen(arrival!, "tail", { what: "end", isCertain: true });
    waits.push(world.waitsMs);
    world.nowMs = world.arrivals.nextDueMs;
    [arrival] = world.arrivals.takeDue();
  }
  assert.deepEqual(waits, [10_000, 10_000, 10_000, 10_000, 10_000, 8_000]);
  assert.equal(world.nowMs, PATIENCE_MS - SETTLE_MS);
});

Deno.test("a file is ready with its marker, waits for ever without, and for the patience if it is stale", () => {
  const world = new ArrivalsWorld();
  const marked = world.file("there", 0, { marker: "there" });
  const missing = world.file("missing", 0, { marker: "missing" });
  assert.deepEqual(world.admit("a", marked, missing), ["there"]);
  assert.equal(world.waitsMs, Infinity);
  assert.deepEqual(world.admit("a", { ...missing, marker: "there" }), ["missing"]);
  world.admit("b", world.file("stale", SETTLE_MS, { marker: "stale" }));
  assert.equal(world.waitsMs, PATIENCE_MS - SETTLE_MS);
});

Deno.test("what lacks its marker for longer than the patience is not awaited any more", () => {
  const world = new ArrivalsWorld();
  const awaited = () => [...world.arrivals.awaited()].map(({ file }) => file.name);
  world.admit("a", world.file("x", 0, { marker: "missing" }), world.file("y", 0));
  assert.deepEqual(awaited(), ["x", "y"]);
  world.nowMs += PATIENCE_MS;
  assert.deepEqual(awaited(), ["y"]);
  assert.equal(world.arrivals.size, 2);
});

Deno.test("no more files than the bound are tracked", () => {
  const world = new ArrivalsWorld();
  const files = Array.from({ length: UNSETTLED_MAX + 5 }, (_, i) => world.file(`${i}`, 0));
  assert.deepEqual(world.admit("a", ...files), []);
  assert.equal(world.arrivals.size, UNSETTLED_MAX);
});
