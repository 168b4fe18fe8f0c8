import assert from "node:assert/strict";
import { MESSAGES } from "../protocol/messages.ts";
import { type ActivePlugin } from "./core/plugin.ts";
import { job, plugin } from "./core/testing.ts";
import { dispatchJson } from "./dispatch.ts";

const MIB = 1024 * 1024;

function limitsOf(memoryMb: number | null, raisedMb: number | null) {
  const rules: ActivePlugin["rules"] = { retries: 0, memoryMb, memoryMbMax: 400 };
  const json = dispatchJson(plugin(1, { rules }), job(1, { memoryMb: raisedMb }), 1, 8000);
  return MESSAGES.dispatch.body.parse(JSON.parse(json)).limits;
}

Deno.test("a job's memory limit is its plugin's, until it is raised for the job itself", () => {
  assert.equal(limitsOf(null, null), undefined);
  assert.equal(limitsOf(100, null)?.memory_bytes, 100 * MIB);
  assert.equal(limitsOf(100, 400)?.memory_bytes, 400 * MIB);
  assert.equal(limitsOf(null, 400)?.memory_bytes, 400 * MIB);
});
