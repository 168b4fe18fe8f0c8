import assert from "node:assert/strict";
import { HEALTH_STALE_MS, vitalsOf } from "./health.ts";

const file = (ready: boolean, because: string | null = null) => ({
  text: JSON.stringify({ pid: 7, ready, because }),
  mtimeMs: 1000,
});

Deno.test("a program whose file is young is alive, and ready when it says so", () => {
  const young = 1000 + HEALTH_STALE_MS;
  const well = { program: "worker", alive: true, ready: true, because: null };
  assert.deepEqual(vitalsOf("worker", file(true), young), well);
  const draining = vitalsOf("worker", file(false, "it drains"), young);
  assert.deepEqual(draining, { ...well, ready: false, because: "it drains" });
});

Deno.test("a program whose file has grown old is not alive, whatever it holds", () => {
  const { alive, ready, because } = vitalsOf("sentinel", file(true), 1001 + HEALTH_STALE_MS);
  assert.deepEqual([alive, ready, because], [false, false, "it has stood still for 30 s"]);
});

Deno.test("a program without a file, or with half of one, is not alive", () => {
  assert.match(vitalsOf("worker", null, 0).because!, /does not run/);
  for (const text of ["", "{", "null", `{"ready":1}`]) {
    assert.equal(vitalsOf("worker", { text, mtimeMs: 0 }, 0).alive, false, text);
  }
});

Deno.test("a clock that was set back does not end a program", () => {
  assert.equal(vitalsOf("worker", file(true), -60_000).alive, true);
});
