import assert from "node:assert/strict";
import { HINT_DELAY_MS, Hints, HINTS_MAX } from "./hints.ts";

Deno.test("the first hint of a folder is due after the delay, whatever follows it", () => {
  const hints = new Hints(2_000);
  hints.add("a", 0);
  hints.add("a", HINT_DELAY_MS - 1);
  assert.equal(hints.takeDue(HINT_DELAY_MS - 1), undefined);
  assert.equal(hints.takeDue(HINT_DELAY_MS), "a");
  assert.equal(hints.takeDue(HINT_DELAY_MS), undefined);
});

Deno.test("a folder that was looked at waits for the settle time", () => {
  const hints = new Hints(2_000);
  hints.addNew("a", 0);
  assert.equal(hints.takeDue(0), "a");
  hints.add("a", 10);
  assert.equal(hints.nextDueMs, 2_000);
  assert.equal(hints.takeDue(1_999), undefined);
  assert.equal(hints.takeDue(2_000), "a");
});

Deno.test("hints beyond the bound are forgotten", () => {
  const hints = new Hints(0);
  for (let i = 0; i <= HINTS_MAX; i++) hints.addNew(`${i}`, 0);
  let taken = 0;
  while (hints.takeDue(0) !== undefined) taken++;
  assert.equal(taken, HINTS_MAX);
});

Deno.test("a folder that takes long is looked at for a tenth of the time at most", () => {
  const hints = new Hints(2_000);
  hints.addNew("a", 0);
  assert.equal(hints.takeDue(0), "a");
  hints.took("a", 0, 700);
  hints.add("a", 700);
  assert.equal(hints.nextDueMs, 7_000);
});
