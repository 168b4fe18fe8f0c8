import assert from "node:assert/strict";
import { Command } from "commander";
import { join } from "node:path";
import type { CliIo } from "../protocol/ports.ts";
import { HealthFile } from "../security/health_file.ts";
import { addHealth } from "./health.ts";

async function health(state: string, ...args: string[]) {
  const lines: string[] = [];
  const io = { cwd: state, nowMs: () => 100_000, stdout: (line: string) => lines.push(line) };
  const program = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  const exit = { ...io, exitCode: 0 } as unknown as CliIo;
  addHealth(program, exit);
  await program.parseAsync(["health", "--state", ".", ...args], { from: "user" });
  return { code: exit.exitCode, said: lines.join("\n") };
}

Deno.test("health ends with 0 while what was started here works, and with 1 when it does not", async () => {
  const state = await Deno.makeTempDir();
  const [because, ready] = ["its sentinel is silent", false];
  const worker = new HealthFile(state, "worker", () => ({ atMs: 99_000, ready, because }));
  try {
    assert.deepEqual(await health(state), {
      code: 0,
      said: "worker works, but is not ready: its sentinel is silent",
    });
    assert.equal((await health(state, "--ready")).code, 1);
    const sentinel = await health(state, "sentinel");
    assert.deepEqual([sentinel.code, sentinel.said], [
      1,
      "sentinel does not work: it does not run, or has another --state",
    ]);
    await Deno.utime(join(state, "health", "worker.json"), 1, 1);
    assert.deepEqual(await health(state, "worker"), {
      code: 1,
      said: "worker does not work: it has stood still for 99 s",
    });
    const { programs } = JSON.parse((await health(state, "--json")).said);
    assert.deepEqual(programs[0].alive, false);
    worker.stop();
    assert.equal((await health(state)).code, 1);
    await assert.rejects(health(state, "deck"), /Allowed choices are sentinel, worker/);
  } finally {
    worker.stop();
    await Deno.remove(state, { recursive: true });
  }
});
