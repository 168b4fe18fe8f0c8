import assert from "node:assert/strict";
import { Problems } from "./problems.ts";

Deno.test("a problem is news when it begins, when its reason changes, and when it ends", () => {
  const problems = new Problems();
  assert.ok(problems.begin("a", "x", "locked"));
  assert.ok(!problems.begin("a", "x", "locked"));
  assert.ok(problems.begin("a", "x", "broken"));
  assert.deepEqual(problems.names("a"), ["x"]);
  assert.equal(problems.size, 1);
  assert.ok(problems.end("a", "x"));
  assert.ok(!problems.end("a", "x"));
  assert.equal(problems.size, 0);
});
