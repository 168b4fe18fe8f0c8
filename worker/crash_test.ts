/** What a worker leaves that is killed at any moment, and what the next one makes of it: real processes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { processesOf, until } from "../tests/processes.ts";
import { COUNT_ROWS, ENDLESS, RealWorker, withRoot } from "../tests/real_worker.ts";
import { Environments } from "./environments.ts";
import { testEnvironment } from "./test_tools.ts";

const environment = await testEnvironment();

/** Has rows staged, and started what no signal to a process group reaches. */
const BUSY = `
import os, subprocess, time
class Handler:
    def execute(self, file_path):
        subprocess.run(["setsid", "sh", "-c", "(sleep 600; :) &"])
        yield {"text": ["x" * 1000] * 3000}
        print("up", flush=True)
        time.sleep(600)
`;
const GONE_MS_MAX = 5_000;

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

async function busy(worker: RealWorker, jobId: number): Promise<void> {
  await worker.sentinel.next("heartbeat");
  worker.dispatch(jobId, BUSY);
  await worker.sentinel.next("log");
  await until("it is staged", async () => (await worker.staged()).length > 0);
}

async function age(folder: string): Promise<void> {
  const longAgo = new Date(Date.now() - 3_600_000);
  for (const name of await names(folder)) await Deno.utime(join(folder, name), longAgo, longAgo);
}

Deno.test("kill -9 of a worker, at many moments of its life, leaves none of its processes", async () => {
  await withRoot(async (root) => {
    for (let moment = 0; moment < 30; moment++) {
      await using worker = await RealWorker.start(root, { name: `m${moment}` });
      const live = async () => {
        await worker.sentinel.next("identify");
        worker.dispatch(moment + 1, BUSY);
      };
      live().catch(() => {}); // most are killed before they come so far
      await new Promise((resolve) => setTimeout(resolve, 40 * moment));
      await worker.crash();
      await until(
        `all are gone after ${40 * moment} ms`,
        () => processesOf(root).length === 0,
        GONE_MS_MAX,
      );
    }
  });
});

Deno.test("a start removes what dead ones left, and nothing of a worker that lives beside it", async () => {
  await withRoot(async (root) => {
    const staging = join(root, "out", "t", ".staging");
    await using neighbour = await RealWorker.start(root, { name: "n" });
    await busy(neighbour, 1);
    const kept = {
      run: await names(join(root, "state", "run")),
      marks: await names(join(root, "out", ".workers")),
      staged: await names(staging),
    };
    assert.deepEqual([kept.run.length, kept.marks.length, kept.staged.length], [1, 1, 1]);
    for (const name of ["d1", "d2"]) {
      await using dead = await RealWorker.start(root, { name });
      await busy(dead, 2);
      await dead.crash();
    }
    assert.equal((await names(staging)).length, 3);
    await age(staging); // else they may still be wanted, for a minute
    await using next = await RealWorker.start(root, { name: "x" });
    await next.sentinel.next("call", ({ body }) => body.method === "outputs.pending");
    await until("leftovers are gone", async () => (await names(staging)).length === 1);
    assert.deepEqual(await names(staging), kept.staged);
    for (
      const [folder, before] of [["state/run", kept.run], ["out/.workers", kept.marks]] as const
    ) {
      const after = await names(join(root, folder));
      assert.equal(after.length, 2, `${after}`);
      assert.ok(after.includes(before[0]!));
    }
    neighbour.sentinel.send("abort", 1, { attempt: 1 });
    assert.equal((await neighbour.concluded(1)).status, "ABORTED"); // it was not disturbed
  });
});

// Goal: sockets named by job id would meet in one path.
Deno.test("two workers on one state run the same job id at the same time", async () => {
  await withRoot(async (root) => {
    await using a = await RealWorker.start(root, { name: "a" });
    await using b = await RealWorker.start(root, { name: "b" });
    for (const worker of [a, b]) {
      await worker.sentinel.next("heartbeat");
      worker.dispatch(7, ENDLESS);
    }
    for (const worker of [a, b]) await worker.sentinel.next("log");
    for (const worker of [a, b]) {
      worker.sentinel.send("abort", 7, { attempt: 1 });
      assert.equal((await worker.concluded(7)).status, "ABORTED");
    }
  });
});

/** A worker that may build, and what to ask it for. */
async function withBuilder(
  use: (worker: RealWorker, lock: { env_hash: string; lockfile_content: string }) => Promise<void>,
): Promise<void> {
  await withRoot(async (root) => {
    const stateDir = join(root, "lock");
    const environments = new Environments({ stateDir, environment, nowMs: Date.now });
    const { envHash, lockfileContent } = await environments.resolve({ requirements: ["six"] });
    const { CASPARIAN_UV, UV_CACHE_DIR, ...rest } = environment;
    const given = { CASPARIAN_UV: CASPARIAN_UV!, UV_CACHE_DIR: UV_CACHE_DIR! };
    const settings = Object.entries(rest).filter(([name]) =>
      /^(PIP|UV|SSL|HTTPS?|ALL|NO)_/i.test(name)
    );
    await using worker = await RealWorker.start(root, {
      environment: { ...given, ...Object.fromEntries(settings) },
    });
    try {
      await worker.sentinel.next("heartbeat");
      await use(worker, { env_hash: envHash, lockfile_content: lockfileContent });
    } catch (error) {
      console.error(worker.said);
      throw error;
    }
  });
}

Deno.test("a worker killed in mid-build leaves no process, and no half of an environment", async (t) => {
  // The last one starts processes of its own, which no signal to the first of them reaches.
  for (const step of ["venv", "install", "compileall"]) {
    await t.step(step, async () => {
      await withBuilder(async (worker, lock) => {
        const envs = join(worker.root, "state", "envs");
        worker.sentinel.send("prepare_env", 0, lock);
        await until(
          `it is at ${step}`,
          () => processesOf(envs).some((pid) => lineOf(pid).includes(step)),
        );
        await worker.crash();
        await until("all are gone", () => processesOf(worker.root).length === 0, GONE_MS_MAX);
        assert.deepEqual((await names(envs)).filter((name) => /^[0-9a-f]{64}$/.test(name)), []);
        await using next = await RealWorker.start(worker.root, { name: "next" });
        await next.sentinel.next("heartbeat");
        assert.deepEqual(await names(join(envs, ".building")), []);
      });
    });
  }
});

Deno.test("while an environment is built heartbeats and jobs go on", async () => {
  await withBuilder(async (worker, lock) => {
    const { sentinel } = worker;
    const beats = sentinel.arrivals("heartbeat");
    sentinel.send("prepare_env", 0, lock);
    let jobs = 0;
    for (let isReady = false; !isReady;) {
      worker.dispatch(++jobs, COUNT_ROWS);
      const { status, error_message } = await worker.concluded(jobs);
      assert.equal(status, "SUCCESS", error_message);
      sentinel.send("ack", jobs, { success: false, message: "late", attempt: 1 });
      isReady = sentinel.heard.some(({ name }) => name === "env_ready");
    }
    const ready = sentinel.heard.find(({ name }) => name === "env_ready");
    assert.deepEqual(ready?.body, { ...ready?.body, cached: false, env_hash: lock.env_hash });
    const gaps = beats().slice(1).map((atMs, n) => atMs - beats()[n]!);
    assert.ok(Math.max(...gaps) < 3000, `${Math.max(...gaps)} ms without a heartbeat`);
    assert.ok(jobs > 1, "no job ran beside the build");
  });
});

function lineOf(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`);
  } catch {
    return "";
  }
}
