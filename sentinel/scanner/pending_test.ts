import assert from "node:assert/strict";
import { Pending } from "./pending.ts";

Deno.test("what is pending is news when it begins, changes, and ends", () => {
  const pending = new Pending();
  const file = { folder: "a", name: "x", kind: "unreadable", reason: "locked" } as const;
  assert.ok(pending.begin(file));
  assert.ok(!pending.begin(file));
  assert.ok(pending.begin({ ...file, reason: "broken" }));
  assert.ok(pending.begin({ ...file, kind: "arriving", reason: "broken" }));
  assert.deepEqual(pending.names("a"), ["x"]);
  assert.deepEqual([pending.count("unreadable"), pending.count("arriving")], [0, 1]);
  assert.ok(pending.end("a", "x"));
  assert.ok(!pending.end("a", "x"));
  assert.equal(pending.count("arriving"), 0);
});

Deno.test("reset() takes over what was told before, and forgets the rest", () => {
  const pending = new Pending();
  const file = { folder: "a", name: "x", kind: "unreadable", reason: "locked" } as const;
  pending.begin(file);
  pending.reset([{ ...file, folder: "b" }]);
  assert.deepEqual([...pending.folders()], ["b"]);
  assert.ok(!pending.begin({ ...file, folder: "b" }));
});
