import assert from "node:assert/strict";
import { basename } from "node:path";
import fc from "fast-check";
import { checkInside, finalPath, stagedPath, topicDirectory } from "./naming.ts";
import { specIn } from "./testing.ts";

const spec = specIn("/out");

Deno.test("the final name carries a readable stem, the key and the generation", () => {
  const name = basename(finalPath({ ...spec, generation: 12 }));
  assert.match(name, /^north_2024\.csv\.[0-9a-f]{16}\.g12\.parquet$/);
});

Deno.test("the key tells topic, plugin and file apart, and the source only when asked to", () => {
  const changes = [{}, { topic: "other" }, { pluginName: "other" }, { fileId: "cd".repeat(32) }, {
    keyedBySource: true,
  }, { keyedBySource: true, sourceHash: "ef".repeat(32) }];
  const paths = changes.map((change) => finalPath({ ...spec, ...change }));
  assert.equal(new Set(paths).size, changes.length);
  const sameKey = [{ sourceHash: "ef".repeat(32) }, { pluginVersion: "2" }, {
    jobId: 8,
    attempt: 3,
  }];
  for (const change of sameKey) assert.equal(finalPath({ ...spec, ...change }), paths[0]);
});

Deno.test("any file name gives one plain path segment of bounded length", () => {
  const seed = Date.now() % 2 ** 31;
  const anyName = fc.oneof(fc.string({ unit: "binary", maxLength: 300 }), fc.string());
  fc.assert(
    fc.property(anyName, (fileName) => {
      const name = finalPath({ ...spec, fileName }).slice("/out/sales/".length);
      assert.match(name, /^[A-Za-z0-9][A-Za-z0-9._-]{0,59}\.[0-9a-f]{16}\.g1\.parquet$/);
    }),
    { seed, numRuns: 1000 },
  );
});

Deno.test("two attempts, and two runs of a worker, stage under different names", () => {
  const names = [stagedPath(spec, "w1"), stagedPath({ ...spec, attempt: 2 }, "w1")];
  assert.equal(new Set([...names, stagedPath(spec, "w2")]).size, 3);
});

Deno.test("a topic that could leave its folder is refused", () => {
  for (
    const topic of ["..", ".", "", "../esc", "a/b", "a\\b", ".hidden", "a\0", "ü", "x".repeat(129)]
  ) {
    assert.throws(() => topicDirectory("/out", topic), { name: "SinkError" }, topic);
  }
  for (const topic of ["a", "sales.2024", "A_b-c", "x".repeat(128)]) {
    assert.equal(topicDirectory("/out", topic), `/out/${topic}`);
  }
});

Deno.test("only plain paths below the folder are inside of it", () => {
  for (const path of ["/out/a", "/out/a/..b"]) checkInside("/out", path);
  for (
    const path of [
      "/out",
      "/out/",
      "/outer/a",
      "/out/../a",
      "/out//a",
      "/out/a/",
      "out/a",
      "/out/\0",
    ]
  ) {
    assert.throws(() => checkInside("/out", path), { name: "SinkError" }, path);
  }
});
