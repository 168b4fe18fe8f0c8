import assert from "node:assert/strict";
import { Manifest } from "./manifest.ts";

const accepts = (fields: Record<string, unknown>) =>
  Manifest.safeParse({ name: "a", pattern: "*.csv", ...fields }).success;

Deno.test("Manifest reads its own output unchanged, so that it can be stored as JSON", () => {
  const inputs = [
    { name: "a", pattern: "*.csv" },
    { name: "a", pattern: ["*.csv"], topics: ["x", "y"], schema: null, config: { a: [1] } },
    { name: "a", pattern: ["*.csv"], topic: "z", topics: { x: { b: 1 } }, timeout_s: 0.5 },
  ];
  for (const input of inputs) {
    const once = Manifest.parse(input);
    assert.deepEqual(Manifest.parse(JSON.parse(JSON.stringify(once))), once);
  }
});

Deno.test("Manifest chooses the topic: as given, else the first of topics, else the plugin's name", () => {
  const topicOf = (fields: Record<string, unknown>) =>
    Manifest.parse({ name: "a", pattern: "*", ...fields }).topic;
  assert.equal(topicOf({}), "a");
  assert.equal(topicOf({ topics: ["x", "y"] }), "x");
  assert.equal(topicOf({ topic: "z", topics: ["x"] }), "z");
});

Deno.test("Manifest's topics always hold the topic", () => {
  const { topics } = Manifest.parse({ name: "a", pattern: "*", topic: "z", topics: ["x"] });
  assert.deepEqual(topics, { z: null, x: null });
});

Deno.test("Manifest holds names to their bounds", () => {
  assert.ok(accepts({ name: "_".repeat(64), topic: "a".repeat(128) }));
  assert.ok(!accepts({ name: "_".repeat(65) }));
  assert.ok(!accepts({ topic: "a".repeat(129) }));
  for (const name of ["", ".a", "-a", "a/b", "a b", "ä", "a\n"]) {
    assert.ok(!accepts({ name }), name);
  }
});

Deno.test("Manifest takes versions of Python as PEP 440 writes them", () => {
  for (const python of ["3", "3.11", "3.11.7", ">=3.10", ">=3.10, <3.14", "==3.12.*", "~=3.11"]) {
    assert.ok(accepts({ python }), python);
  }
  for (const python of ["", "3.x", "python3", ">=", ">=3.10 <4", "3.11\n", "../bin/python"]) {
    assert.ok(!accepts({ python }), python);
  }
});

Deno.test("Manifest refuses globs that no relative path can match", () => {
  for (const pattern of ["*.csv", "in/**", "**/a/*.{csv,txt}", "..a/*"]) {
    assert.ok(accepts({ pattern }), pattern);
  }
  for (const pattern of ["", " ", "/a", "./a", "../a", "a/../b", "a ", "x".repeat(1025)]) {
    assert.ok(!accepts({ pattern }), pattern);
  }
});

Deno.test("Manifest refuses a key it does not know", () => {
  assert.ok(!accepts({ timeout: 5 }));
});

Deno.test("Manifest bounds what scheduling takes from it", () => {
  assert.ok(accepts({ weight: 1 }) && accepts({ weight: 100 }));
  assert.ok(!accepts({ weight: 0 }) && !accepts({ weight: 101 }) && !accepts({ weight: 0.5 }));
  assert.ok(accepts({ pause_after: 0 }) && !accepts({ pause_after: -1 }));
});

Deno.test("Manifest's raised memory limit is higher than the first one", () => {
  assert.ok(accepts({ memory_mb: 100, memory_mb_max: 101 }));
  assert.ok(accepts({ memory_mb_max: 100 }), "the first one is the worker's own");
  assert.ok(!accepts({ memory_mb: 100, memory_mb_max: 100 }));
});
