import assert from "node:assert/strict";
import fc from "fast-check";
import { checkJsonBounds, JSON_DEPTH_MAX, JSON_VALUES_MAX } from "./json_bounds.ts";

function check(json: string): void {
  checkJsonBounds("payload", new TextEncoder().encode(json));
}

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

Deno.test("JSON is taken at the bound of its depth and refused one deeper", () => {
  check(nested(JSON_DEPTH_MAX));
  check(`[${nested(JSON_DEPTH_MAX - 1)},${nested(JSON_DEPTH_MAX - 1)}]`);
  assert.throws(() => check(nested(JSON_DEPTH_MAX + 1)), {
    name: "ProtocolError",
    message: "Cannot decode payload as it must be <= 64 deep: got 65",
  });
  assert.throws(() => check('{"a":'.repeat(JSON_DEPTH_MAX + 1)), { name: "ProtocolError" });
});

Deno.test("JSON is taken at the bound of its values and refused with one more", () => {
  check(`[${"0,".repeat(JSON_VALUES_MAX - 1)}0]`);
  assert.throws(() => check(`[${"0,".repeat(JSON_VALUES_MAX)}0]`), { name: "ProtocolError" });
});

Deno.test("what stands inside a string counts for nothing", () => {
  check(JSON.stringify(nested(1000) + ",".repeat(2 * JSON_VALUES_MAX)));
  check(JSON.stringify({ '"[[': `\\"${nested(100)}\\\\` }));
  assert.throws(() => check(`["\\\\",${nested(JSON_DEPTH_MAX)}]`), { name: "ProtocolError" });
});

Deno.test("any JSON that is shallow and small passes, however its strings are escaped", () => {
  fc.assert(fc.property(fc.json({ maxDepth: 10 }), fc.string(), (json, text) => {
    check(json);
    check(JSON.stringify([text, json]));
  }));
});

Deno.test("text that stops anywhere is left to the parser", () => {
  const json = '{"a":["\\"",{"b":1}]}';
  for (let end = 0; end <= json.length; end++) check(json.slice(0, end));
});
