import assert from "node:assert/strict";
import { Settling, UNSETTLED_MAX } from "./settling.ts";

const clock = { ms: 0, nowMs: () => clock.ms, wallMs: () => 1_000_000 + clock.ms };

function file(name: string, ageMs: number, size = 1) {
  return { name, size, mtimeMs: clock.wallMs() - ageMs };
}

Deno.test("admit() returns what has been still for the settle time, to the millisecond", () => {
  const settling = new Settling(2_000, clock);
  const admitted = settling.admit("a", [file("old", 2_000), file("young", 1_999)]);
  assert.deepEqual(admitted.map(({ name }) => name), ["old"]);
  assert.equal(settling.nextDueMs, clock.ms + 1);
});

Deno.test("takeDue() takes each file once, and not before it is due", () => {
  const settling = new Settling(2_000, clock);
  settling.admit("a", [file("x", 500), file("y", 0)]);
  clock.ms += 1_500;
  assert.deepEqual(settling.takeDue().map(({ file }) => file.name), ["x"]);
  assert.deepEqual(settling.takeDue(), []);
  assert.equal(settling.size, 1);
  clock.ms += 500;
  assert.deepEqual(settling.takeDue().map(({ file }) => file.name), ["y"]);
  assert.equal(settling.nextDueMs, Infinity);
});

Deno.test("seeing the same file again does not make it wait longer, seeing it changed does", () => {
  const settling = new Settling(2_000, clock);
  const ahead = file("x", -60_000); // its mtime lies in the future
  settling.admit("a", [ahead]);
  clock.ms += 1_000;
  settling.admit("a", [ahead]);
  assert.equal(settling.nextDueMs, clock.ms + 1_000);
  settling.admit("a", [{ ...ahead, size: 2 }]);
  clock.ms += 1_999;
  assert.deepEqual(settling.takeDue(), []);
});

Deno.test("a folder's files that are no longer there are forgotten", () => {
  const settling = new Settling(2_000, clock);
  settling.admit("a", [file("x", 0)]);
  settling.admit("a", []);
  assert.equal(settling.size, 0);
});

Deno.test("a file put back waits although its mtime is old, even without a settle time", () => {
  for (const settleMs of [2_000, 0]) {
    const settling = new Settling(settleMs, clock);
    settling.putBack("a", file("x", 3_600_000));
    assert.deepEqual(settling.takeDue(), []);
    clock.ms += Math.max(settleMs, 100);
    assert.equal(settling.takeDue().length, 1);
  }
});

Deno.test("no more files than the bound are tracked", () => {
  const settling = new Settling(2_000, clock);
  const files = Array.from({ length: UNSETTLED_MAX + 5 }, (_, i) => file(`${i}`, 0));
  assert.deepEqual(settling.admit("a", files), []);
  assert.equal(settling.size, UNSETTLED_MAX);
});
