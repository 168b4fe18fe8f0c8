import assert from "node:assert/strict";
import { findProgram, LAUNCHER, runToEnd } from "./launcher.ts";

const environment = { PATH: "/usr/bin:/bin" };

Deno.test("runToEnd() gives the program its words, its input and its environment as they are", async () => {
  const script = 'cat; printf "%s|" "$@"; echo "said so" >&2; env';
  const lines: string[] = [];
  const { stdout, stderr, code } = await runToEnd([
    "sh",
    "-c",
    script,
    "sh",
    "a b",
    "c'$d\n",
    "-e=1",
  ], {
    environment: { ...environment, X: "1 2" },
    stdin: "given\n",
    onLine: (line) => lines.push(line),
  });
  assert.equal(stdout.slice(0, stdout.lastIndexOf("|")), "given\na b|c'$d\n|-e=1");
  const variables = stdout.split("|").at(-1)?.trim().split("\n").toSorted();
  assert.deepEqual(variables?.filter((line) => !line.startsWith("PWD=")), [
    "PATH=/usr/bin:/bin",
    "X=1 2",
  ]);
  assert.deepEqual([code, stderr, lines], [0, "said so\n", ["said so"]]);
});

Deno.test("runToEnd() keeps long output whole, as a lockfile is a result", async () => {
  const { stdout } = await runToEnd(["head", "-c", "300000", "/dev/zero"], { environment });
  assert.equal(stdout.length, 300_000);
});

Deno.test("runToEnd() kills the whole process group on abort and on its time limit", async () => {
  const argv = ["sh", "-c", "sleep 300 & echo ready >&2; wait"];
  const stop = new AbortController();
  const aborted = runToEnd(argv, {
    environment,
    signal: stop.signal,
    onLine: () => stop.abort(new Error("Stopped")),
  });
  await assert.rejects(aborted, /Stopped/);
  // Its output pipe is closed only once the sleeper, which holds it too, is dead.
  const late = runToEnd(argv, { environment, limitMs: 300 });
  await assert.rejects(late, { name: "TimeoutError" });
});

Deno.test("what a program leaves running, be it in a session of its own, ends with it", async (t) => {
  const apart = ["--user", "--map-current-user", "--pid", "--fork", "--kill-child", "true"];
  const { success } = await new Deno.Command("unshare", { args: apart, stderr: "null" }).output();
  if (!success) return void await t.step({ name: "no PID namespaces here", ignore: true, fn() {} });
  // It holds the pipe open that is read to its end.
  const argv = ["sh", "-c", "setsid sleep 300 & echo ready"];
  assert.equal((await runToEnd(argv, { environment, limitMs: 20_000 })).stdout, "ready\n");
});

// Goal: between the start of the launcher and the tie to its worker the worker may die.
Deno.test("nothing is started for a worker that is dead", async () => {
  const words = ["for", "1", "run", "PATH=/usr/bin:/bin", "sh", "-c", "echo started"];
  const { stdout, code } = await new Deno.Command(LAUNCHER, { args: words }).output();
  assert.deepEqual([stdout.length, code], [0, 137]);
});

Deno.test("findProgram() finds sh and says null for what is not there", async () => {
  assert.match(await findProgram("sh") ?? "", /\/sh$/);
  assert.equal(await findProgram("no-such-program-anywhere"), null);
});
