import assert from "node:assert/strict";
import { join } from "node:path";
import type { CliIo, StopSignal } from "../protocol/ports.ts";
import type { MessageBody } from "../protocol/messages.ts";
import { FakeSentinel } from "../tests/fake_sentinel.ts";
import { testPython } from "../tests/python.ts";
import { runWorker } from "./worker_command.ts";

const python = await testPython();

const COUNT_ROWS = `
import pyarrow as pa
class Handler:
    def execute(self, file_path):
        print("reading")
        lines = open(file_path).read().split()
        yield pa.table({"line": lines})
`;
const ENDLESS = `
import time
class Handler:
    def execute(self, file_path):
        print("started", flush=True)
        while True:
            time.sleep(0.01)
`;

/** A worker in this process, its folders, and a sentinel that the test plays. */
class Bench {
  readonly output: string;
  readonly file: string;
  readonly lines: string[] = [];
  sentinel: FakeSentinel;
  #interrupt: (signal: StopSignal) => void = () => {};
  #ended: Promise<number> | undefined;
  #starts = 0;

  constructor(readonly root: string, ours = true) {
    this.output = join(root, "out");
    this.file = join(root, "a.csv");
    this.sentinel = new FakeSentinel(this.address, ours);
  }

  get address(): string {
    return `ipc://${this.root}/s.sock`;
  }

  start(): void {
    this.#ended = runWorker({
      connect: this.address,
      state: join(this.root, "state"),
      output: this.output,
      slots: "2",
    }, {
      io: this.#io(),
      clock: { nowMs: () => Date.now() },
      random: { next: () => 0.5 },
      logger: { log: (level, message) => this.lines.push(`${level} ${message}`) },
      startId: `start${++this.#starts}`,
      environment: { PATH: Deno.env.get("PATH") ?? "", CASPARIAN_PYTHON: python },
    });
  }

  async stop(signals = 1): Promise<void> {
    const ended = this.#ended;
    this.#ended = undefined;
    if (!ended) return;
    for (let i = 0; i < signals; i++) this.#interrupt("SIGTERM");
    assert.equal(await ended, 0);
    const left = await Array.fromAsync(Deno.readDir(join(this.root, "state", "run")));
    assert.deepEqual(left.map(({ name }) => name), [], "sockets or scratch folders are left");
  }

  dispatch(jobId: number, source_code: string, more: Partial<MessageBody<"dispatch">> = {}): void {
    this.sentinel.send("dispatch", jobId, {
      plugin_name: "lines",
      file_path: this.file,
      sinks: [{ topic: "t", uri: "parquet://output/t", mode: "replace" }],
      file_version_id: 1,
      env_hash: "system",
      source_code,
      attempt: 1,
      generation: jobId,
      ...more,
    });
  }

  async visible(): Promise<string[]> {
    const entries = await Array.fromAsync(Deno.readDir(join(this.output, "t")));
    return entries.filter(({ isFile }) => isFile).map(({ name }) => name).sort();
  }

  async staged(): Promise<string[]> {
    const entries = await Array.fromAsync(Deno.readDir(join(this.output, "t", ".staging")));
    return entries.map(({ name }) => name);
  }

  #io(): CliIo {
    return {
      args: [],
      cwd: this.root,
      env: () => undefined,
      stdout: (line) => this.lines.push(line),
      stderr: (line) => this.lines.push(line),
      draw() {},
      nowMs: () => Date.now(),
      isTerminal: false,
      columns: 100,
      exitCode: 0,
      onInterrupt: (callback) => {
        this.#interrupt = callback;
        return () => {};
      },
    };
  }
}

async function withBench(use: (bench: Bench) => Promise<void>, ours = true): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "worker-" });
  const bench = new Bench(root, ours);
  await Deno.writeTextFile(bench.file, "x\ny\nz\n");
  try {
    bench.start();
    await use(bench);
    bench.sentinel.forgetJobs(); // else the worker waits for its ACKs
    await bench.stop();
  } catch (error) {
    console.error(bench.lines.join("\n"));
    await bench.stop(2).catch(() => {});
    throw error;
  } finally {
    await bench.sentinel.close();
    await Deno.remove(root, { recursive: true });
  }
}

function worker(name: string, use: (bench: Bench) => Promise<void>, ours = true): void {
  Deno.test(name, () => withBench(use, ours));
}

worker("a worker tells who it is, and lives", async ({ sentinel }) => {
  const { body } = await sentinel.next("identify");
  assert.match(body.worker_id ?? "", /-start1$/);
  assert.equal(body.slots, 2);
  assert.ok(["A", "B", "C"].includes(JSON.parse(body.sandbox ?? "{}").grade));
  const { body: beat } = await sentinel.next("heartbeat");
  assert.deepEqual([beat.status, beat.active_job_ids], ["IDLE", []]);
});

worker(
  "output is visible after the ACK, replaces what it retires, and is reported",
  async (bench) => {
    const { sentinel } = bench;
    await sentinel.next("heartbeat");
    for (const jobId of [1, 2]) {
      bench.dispatch(jobId, COUNT_ROWS);
      const log = await sentinel.next("log");
      assert.deepEqual([log.jobId, log.body.attempt], [jobId, 1]);
      assert.equal(log.body.lines[0]?.[2], "reading");
      const { body } = await sentinel.next("conclude");
      assert.equal(body.status, "SUCCESS", body.error_message);
      assert.deepEqual([body.metrics.rows, body.outputs?.length], [3, 1]);
      const output = body.outputs![0]!;
      assert.ok((await bench.staged()).some((name) => output.staged.endsWith(name)));
      const before = jobId === 1 ? [] : await bench.visible();
      const retired = before.map((name) => join(bench.output, "t", name));
      sentinel.send("ack", jobId, { success: true, message: "committed", attempt: 1, retired });
      const call = await sentinel.next("call", ({ body }) => body.method === "outputs.promoted");
      assert.deepEqual(call.body.params, { outputs: [{ job_id: jobId, uri: output.uri }] });
      assert.deepEqual(await bench.visible(), [output.uri.split("/").at(-1)]);
      assert.deepEqual(await bench.staged(), []);
    }
  },
);

worker("after a job its environment is warm, which the sentinel hears", async (bench) => {
  const { sentinel } = bench;
  const { body } = await sentinel.next("heartbeat");
  assert.deepEqual(body.warm_envs, []);
  bench.dispatch(1, COUNT_ROWS);
  await sentinel.next("conclude");
  await sentinel.next("heartbeat", ({ body }) => body.warm_envs?.includes("system") ?? false);
});

worker("a late receipt's output goes away", async (bench) => {
  await bench.sentinel.next("heartbeat");
  bench.dispatch(1, COUNT_ROWS);
  await bench.sentinel.next("conclude");
  bench.sentinel.send("ack", 1, { success: false, message: "late", attempt: 1 });
  bench.dispatch(2, COUNT_ROWS); // by its receipt the first one's ACK has been handled
  await bench.sentinel.next("conclude");
  assert.deepEqual((await bench.staged()).filter((name) => name.includes(".g1.")), []);
  assert.deepEqual(await bench.visible(), []);
});

worker("errors of plugins come with the line, also when the process just ends", async (bench) => {
  const { sentinel } = bench;
  await sentinel.next("heartbeat");
  bench.dispatch(1, `class Handler:\n    def execute(self, path):\n        return 1 / 0\n`);
  const raised = await sentinel.next("conclude");
  assert.deepEqual([raised.body.status, raised.body.error_kind], ["FAILED", "plugin"]);
  assert.match(raised.body.error_message ?? "", /lines\.py", line 3[\s\S]*ZeroDivisionError/);
  bench.dispatch(
    2,
    `import os\nclass Handler:\n    def execute(self, path):\n        os._exit(0)\n`,
  );
  const ended = await sentinel.next("conclude");
  assert.deepEqual([ended.body.status, ended.body.error_kind], ["FAILED", "plugin"]);
  assert.match(ended.body.error_message ?? "", /exit code 0/);
  bench.dispatch(3, COUNT_ROWS);
  assert.equal((await sentinel.next("conclude")).body.status, "SUCCESS");
});

worker("an aborted job ends at once, and one that takes too long by itself", async (bench) => {
  const { sentinel } = bench;
  await sentinel.next("heartbeat");
  bench.dispatch(1, ENDLESS);
  await sentinel.next("log");
  sentinel.send("abort", 1, { attempt: 1 });
  assert.equal((await sentinel.next("conclude")).body.status, "ABORTED");
  bench.dispatch(2, ENDLESS, { timeout_ms: 300 });
  assert.equal((await sentinel.next("conclude")).body.error_kind, "timeout");
});

worker("a plain v4 sentinel gets plain receipts, and output without an ACK", async (bench) => {
  const { sentinel } = bench;
  await sentinel.next("identify");
  sentinel.send("dispatch", 7, {
    plugin_name: "lines",
    file_path: bench.file,
    sinks: [{ topic: "t", uri: "parquet://output/t", mode: "append" }],
    file_version_id: 1,
    env_hash: "system",
    source_code: COUNT_ROWS,
  });
  const { body } = await sentinel.next("conclude");
  assert.equal(body.status, "SUCCESS", body.error_message);
  assert.deepEqual(Object.keys(body).sort(), ["artifacts", "metrics", "status"]);
  sentinel.send("heartbeat", 0, { status: "ALIVE" });
  await sentinel.next("heartbeat");
  await bench.stop(); // a drain waits for what is under way
  assert.equal((await bench.visible()).length, 1);
  const said = new Set(sentinel.heard.map(({ name }) => name));
  assert.deepEqual([...said].sort(), ["conclude", "heartbeat", "identify"]);
}, false);

worker("a receipt survives the sentinel's restart", async (bench) => {
  await bench.sentinel.next("heartbeat");
  bench.dispatch(1, COUNT_ROWS);
  await bench.sentinel.next("conclude");
  await bench.sentinel.close(); // before it could acknowledge
  bench.sentinel = new FakeSentinel(bench.address);
  const stranger = await bench.sentinel.next("heartbeat");
  assert.deepEqual(stranger.body.active_job_ids, [1]);
  bench.sentinel.send("err", 0, { message: "Cannot take heartbeat as you did not IDENTIFY" });
  await bench.sentinel.next("identify");
  const { body } = await bench.sentinel.next("conclude");
  assert.equal(body.status, "SUCCESS");
  bench.sentinel.send("ack", 1, { success: true, message: "committed", attempt: 1 });
  await bench.sentinel.next("call", ({ body }) => body.method === "outputs.promoted");
  assert.equal((await bench.visible()).length, 1);
});

worker("what one start could not promote, the next one does", async (bench) => {
  const { sentinel } = bench;
  await sentinel.next("heartbeat");
  bench.dispatch(1, COUNT_ROWS);
  const output = (await sentinel.next("conclude")).body.outputs![0]!;
  await bench.stop(2); // no ACK came
  assert.deepEqual(await bench.visible(), []);
  const { topic, uri, staged } = output;
  const elsewhere = { job_id: 9, topic, uri: "/elsewhere/b.parquet", staged: "/elsewhere/b" };
  sentinel.pending = [{ job_id: 1, topic, uri, staged }, elsewhere];
  bench.start();
  const call = await sentinel.next("call", ({ body }) => body.method === "outputs.promoted");
  assert.deepEqual(call.body.params, { outputs: [{ job_id: 1, uri }] });
  assert.equal((await bench.visible()).length, 1);
});

worker("a drain lets the running job end; a second signal does not wait", async (bench) => {
  const { sentinel } = bench;
  await sentinel.next("heartbeat");
  const slow = COUNT_ROWS.replace("yield", "import time; time.sleep(0.3)\n        yield");
  bench.dispatch(1, slow);
  await sentinel.next("log");
  const stopped = bench.stop();
  bench.dispatch(2, COUNT_ROWS);
  const rejected = await sentinel.next("conclude");
  assert.deepEqual([rejected.jobId, rejected.body.status], [2, "REJECTED"]);
  const done = await sentinel.next("conclude");
  assert.deepEqual([done.jobId, done.body.status], [1, "SUCCESS"]);
  sentinel.send("ack", 1, { success: true, message: "committed", attempt: 1 });
  await stopped;
  assert.equal((await bench.visible()).length, 1);

  bench.start();
  await sentinel.next("identify");
  await sentinel.next("heartbeat");
  bench.dispatch(3, ENDLESS);
  await sentinel.next("log");
  const killed = bench.stop(2);
  const aborted = await sentinel.next("conclude");
  assert.deepEqual([aborted.body.status, aborted.body.retryable], ["ABORTED", true]);
  sentinel.send("ack", 3, { success: true, message: "noted", attempt: 1 });
  await killed;
});

worker("TRY answers with schema and first rows, and lands nothing", async (bench) => {
  const { sentinel } = bench;
  await sentinel.next("heartbeat");
  sentinel.send("try", 0, {
    id: 5,
    rows_max: 2,
    plugin_name: "lines",
    file_path: bench.file,
    sinks: [],
    file_version_id: 1,
    env_hash: "system",
    source_code: COUNT_ROWS + `MANIFEST = {"pattern": "*", "topic": "t"}\n`,
  });
  const { body } = await sentinel.next("tried");
  assert.equal(body.error, undefined);
  assert.deepEqual(body.topics.map(({ rows, row_count }) => [rows, row_count]), [
    [[{ line: "x" }, { line: "y" }], 3],
  ]);
  await assert.rejects(Deno.stat(join(bench.output, "t")), Deno.errors.NotFound);
});

worker("nonsense is answered with an ERR, and work goes on", async (bench) => {
  const { sentinel } = bench;
  await sentinel.next("heartbeat");
  sentinel.sendFrames([new Uint8Array(3), new Uint8Array(0)]);
  assert.match((await sentinel.next("err")).body.message, /16 bytes/);
  bench.dispatch(1, COUNT_ROWS);
  assert.equal((await sentinel.next("conclude")).body.status, "SUCCESS");
});

worker("an environment that is not its hash's is refused with the reason", async ({ sentinel }) => {
  await sentinel.next("heartbeat");
  const env_hash = "0".repeat(64);
  sentinel.send("prepare_env", 0, { env_hash, lockfile_content: "pyarrow==1.0" });
  const { body } = await sentinel.next("env_ready");
  assert.equal(body.env_hash, env_hash);
  assert.match(body.error ?? "", /SHA-256/);
});
