// .ci/run is read by machines: whatever the tests do, its last line and its exit code must agree.
import assert from "node:assert/strict";
import { PROJECT } from "./project_files.ts";

/** Runs .ci/run with an `npx` that prints `output` and exits with `code`. */
function run(output: string, code: number, ci = false): { line: string; code: number } {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${folder}/output`, output);
    Deno.writeTextFileSync(`${folder}/npx`, `#!/bin/sh\ncat ${folder}/output\nexit ${code}\n`);
    Deno.chmodSync(`${folder}/npx`, 0o755);
    const result = new Deno.Command(new URL(".ci/run", PROJECT).pathname, {
      env: { PATH: `${folder}:${Deno.env.get("PATH")}`, CI: ci ? "true" : "" },
      stdin: "null",
    }).outputSync();
    const lines = new TextDecoder().decode(result.stdout).trimEnd().split("\n");
    return { line: lines.at(-1)!, code: result.code };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test(".ci/run counts what passed and failed, steps aside", () => {
  const ok = "running 3 tests\n\nok | 12 passed (3 steps) | 0 failed (2s)\n\n";
  assert.deepEqual(run(ok, 0), { line: "12 passed, 0 failed", code: 0 });
  const failed = "FAILED | 10 passed (1 step) | 2 failed (1 step) (2s)\n\nerror: Test failed\n";
  assert.deepEqual(run(failed, 1), { line: "10 passed, 2 failed", code: 1 });
});

Deno.test(".ci/run reports a skipped test, which is a failure where CI=true", () => {
  const output = "ok | 12 passed | 0 failed | 3 ignored (2s)\n";
  assert.deepEqual(run(output, 0), { line: "12 passed, 0 failed, 3 skipped", code: 0 });
  assert.deepEqual(run(output, 0, true), { line: "12 passed, 0 failed, 3 skipped", code: 1 });
});

Deno.test(".ci/run fails when the run dies or fails behind its summary", () => {
  assert.deepEqual(run("error: Type checking failed.\n", 1), {
    line: "0 passed, 1 failed",
    code: 1,
  });
  assert.deepEqual(run("Killed\n", 137), { line: "0 passed, 1 failed", code: 137 });
  const late = "ok | 12 passed | 0 failed (2s)\nerror: a promise was never resolved\n";
  assert.deepEqual(run(late, 1), { line: "12 passed, 1 failed", code: 1 });
});
