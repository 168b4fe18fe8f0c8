import assert from "node:assert/strict";
import type { BridgeFrame } from "../protocol/bridge.ts";
import { isAlive } from "../tests/processes.ts";
import { testPython } from "../tests/python.ts";
import {
  type Launch,
  PluginDied,
  PluginError,
  type PluginJob,
  TemplateError,
  Templates,
  type TemplatesOptions,
} from "./templates.ts";

const python = await testPython();

/** Templates of real Pythons, and what they started. */
interface Bench {
  readonly templates: Templates;
  readonly folder: string;
  readonly started: Deno.ChildProcess[];
  nowMs: number;
}

async function withBench(
  options: Partial<TemplatesOptions>,
  test: (bench: Bench) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "warm-" });
  const started: Deno.ChildProcess[] = [];
  const launch: Launch = ([command, ...args], { scratchDir }) => {
    const env = { PATH: "/usr/bin:/bin", PYTHONDONTWRITEBYTECODE: "1" };
    const streams = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
    const process = new Deno.Command(command!, {
      args,
      env,
      clearEnv: true,
      cwd: scratchDir,
      ...streams,
    }).spawn();
    started.push(process);
    return process;
  };
  const folder = `${root}/run`;
  const nowMs = () => bench.nowMs;
  const templates = new Templates({ launch, folder, nowMs, ...options });
  const bench: Bench = { templates, folder, started, nowMs: 0 };
  try {
    await test(bench);
  } finally {
    await templates.stop();
    await assert.rejects(Deno.stat(folder), Deno.errors.NotFound);
    await Deno.remove(root);
    await Promise.all(started.map((process) => process.status));
  }
}

function plugin(body: string): string {
  const lines = body.trim().split("\n").map((line) => `        ${line}`);
  return `import os\nclass Handler:\n    def execute(self, file_path):\n${lines.join("\n")}\n`;
}

function jobOf(body: string, fields: Partial<PluginJob> = {}): PluginJob {
  const pluginCode = plugin(body);
  return {
    jobId: 1,
    attempt: 1,
    interpreterPath: python,
    artifactHash: pluginCode,
    pluginName: "demo",
    pluginCode,
    filePath: "/data/a.csv",
    fileVersionId: 7,
    topics: ["out"],
    isolation: "plugin",
    dataRoots: [],
    ...fields,
  };
}

async function framesOf({ templates }: Bench, job: PluginJob): Promise<BridgeFrame[]> {
  return await Array.fromAsync(templates.run(job).frames);
}

async function linesOf(bench: Bench, job: PluginJob): Promise<string> {
  const frames = await framesOf(bench, job);
  return frames.flatMap((frame) => frame.type === "log" ? [frame.text] : []).join("\n");
}

const PID = "print(os.readlink('/proc/self'))";

/** Begins to read, and stops at the first log line. */
async function atFirstLine(frames: AsyncIterable<BridgeFrame>) {
  const iterator = frames[Symbol.asyncIterator]();
  for (;;) {
    const { value, done } = await iterator.next();
    if (done) throw new Error("the job ended without a line");
    if (value.type === "log") return { line: value.text, iterator };
  }
}

/** Reads on to whatever ends the job. */
function atEnd(iterator: AsyncIterator<BridgeFrame>): Promise<BridgeFrame[]> {
  return Array.fromAsync({ [Symbol.asyncIterator]: () => iterator });
}

/** Tests that need processes which only the kernel reports on; it does so within this or never. */
async function until(condition: () => boolean): Promise<void> {
  const limitMs = performance.now() + 20_000;
  while (!condition()) {
    assert.ok(performance.now() < limitMs, "it never came about");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

Deno.test("a job's frames arrive, and its request reaches the plugin", () =>
  withBench({}, async (bench) => {
    const job = jobOf(`print(file_path, os.environ["BRIDGE_JOB_ID"])\nyield {"a": [1, 2]}`);
    const frames = await framesOf(bench, { ...job, jobId: 42 });
    assert.deepEqual(frames.map(({ type }) => type), ["log", "batch", "progress"]);
    assert.deepEqual(frames[0], { type: "log", level: 0, text: "/data/a.csv 42" });
    const progress = frames[2];
    assert.ok(progress?.type === "progress" && progress.json.rows === 2);
  }));

Deno.test("jobs of one artifact share a process and another artifact gets its own", () =>
  withBench({}, async (bench) => {
    const one = jobOf(PID);
    const pid = await linesOf(bench, one);
    assert.equal(await linesOf(bench, { ...one, filePath: "/data/b.csv" }), pid);
    assert.notEqual(await linesOf(bench, jobOf(PID, { artifactHash: "other" })), pid);
    assert.equal(bench.started.length, 1);
  }));

Deno.test("jobs of one artifact at the same time run in processes of their own", () =>
  withBench({}, async (bench) => {
    const job = jobOf(PID);
    const pids = await Promise.all([1, 2, 3].map(() => linesOf(bench, job)));
    assert.equal(new Set(pids).size, 3);
  }));

Deno.test("isolation by job gives each job a fresh process", () =>
  withBench({}, async (bench) => {
    const job = jobOf(PID, { isolation: "job" });
    const pids: string[] = [];
    for (let n = 0; n < 4; n++) pids.push(await linesOf(bench, job));
    assert.equal(new Set(pids).size, 4);
    await until(() => pids.every((pid) => !isAlive(pid)));
  }));

Deno.test("a process is replaced after 1,000 jobs", () =>
  withBench({}, async (bench) => {
    const job = jobOf(PID);
    const first = await linesOf(bench, job);
    for (let n = 1; n < 1000; n++) assert.equal(await linesOf(bench, job), first);
    assert.notEqual(await linesOf(bench, job), first);
  }));

Deno.test("a process that grew too much, or whose job left a thread behind, is replaced", () =>
  withBench({}, async (bench) => {
    const growing = `if "/first" not in file_path: Handler.kept = b"x" * (400 << 20)\n${PID}`;
    const grow = jobOf(growing);
    const first = await linesOf(bench, { ...grow, filePath: "/first" });
    assert.equal(await linesOf(bench, grow), first);
    assert.notEqual(await linesOf(bench, { ...grow, filePath: "/first" }), first);
    const thread = "import threading, time\n" +
      "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()";
    const leaving = jobOf(`${thread}\n${PID}`);
    assert.notEqual(await linesOf(bench, leaving), await linesOf(bench, leaving));
  }));

Deno.test("a plugin that raises gives its traceback, and the next job a new process", () =>
  withBench({}, async (bench) => {
    const job = jobOf(
      `${PID}\nif file_path == "/bad": raise ValueError("row 3")\nyield {"a": [1]}`,
    );
    const pid = await linesOf(bench, job);
    const failed = framesOf(bench, { ...job, filePath: "/bad" });
    await assert.rejects(failed, (error) => {
      assert.ok(error instanceof PluginError);
      assert.match(error.message, /File "demo.py", line 5, in execute\n[^]*ValueError: row 3$/);
      return true;
    });
    assert.notEqual(await linesOf(bench, job), pid);
  }));

Deno.test("a process that ends before its end marker has died, also with code 0", () =>
  withBench({}, async (bench) => {
    const died = async (body: string, message: RegExp) => {
      const job = jobOf(`yield {"a": [1]}\n${body}`);
      await assert.rejects(framesOf(bench, job), (error) => {
        assert.ok(error instanceof PluginDied, `${error}`);
        assert.match(error.message, message);
        return true;
      });
    };
    await died("os._exit(0)", /ended with exit code 0 before it had yielded all/);
    await died("import ctypes\nctypes.string_at(0)", /by signal 11[^]*Segmentation fault/);
    await died("import resource\nos.closerange(3, 100)\nwhile True: pass", /by signal 9/);
  }));

Deno.test("kill() ends the job with its cause and all that it started", () =>
  withBench({}, async (bench) => {
    const body = `import subprocess\np = subprocess.Popen(["setsid", "sleep", "600"])\n` +
      `print(os.readlink("/proc/self"))\nwhile True: pass`;
    const run = bench.templates.run(jobOf(body));
    const { line: pid, iterator } = await atFirstLine(run.frames);
    const sleeper = () =>
      [...Deno.readDirSync("/proc")].some(({ name }) => isChildOf(name, pid) && isAlive(name));
    assert.ok(sleeper());
    run.kill("it took too long");
    await assert.rejects(
      iterator.next(),
      (error) => error instanceof PluginDied && error.message === "it took too long",
    );
    assert.equal(isAlive(pid), false);
    await until(() => !sleeper());
  }));

function isChildOf(pid: string, parent: string): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")")).split(" ")[2] === parent;
  } catch {
    return false;
  }
}

Deno.test("kill() works before the job began and does nothing after it ended", () =>
  withBench({}, async (bench) => {
    const early = bench.templates.run(jobOf(PID));
    early.kill("not wanted any more");
    await assert.rejects(Array.fromAsync(early.frames), PluginDied);
    const starting = bench.templates.run(jobOf(PID));
    const read = Array.fromAsync(starting.frames);
    starting.kill("not wanted any more");
    await assert.rejects(read, PluginDied);
    const late = bench.templates.run(jobOf(PID));
    await Array.fromAsync(late.frames);
    late.kill("too late");
    await linesOf(bench, jobOf(PID));
  }));

Deno.test("cancel() lets the plugin clean up", () =>
  withBench({ cancelGraceMs: 30_000 }, async (bench) => {
    const cleaned = `${bench.folder}/cleaned`;
    const waiting = `try:\n    print("up")\n    import time\n    time.sleep(600)\n`;
    const run = bench.templates.run(
      jobOf(`${waiting}finally:\n    open(${JSON.stringify(cleaned)}, "w").close()`),
    );
    const { iterator } = await atFirstLine(run.frames);
    run.cancel("aborted");
    await assert.rejects(atEnd(iterator), { name: "PluginDied", message: "aborted" });
    await Deno.stat(cleaned);
  }));

Deno.test("a cancelled plugin that does not end in time is killed", () =>
  withBench({ cancelGraceMs: 100 }, async (bench) => {
    const stubborn =
      `while True:\n    try:\n        ${PID}\n        while True: pass\n    except: pass`;
    const run = bench.templates.run(jobOf(stubborn));
    const { line: pid, iterator } = await atFirstLine(run.frames);
    run.cancel("aborted");
    await assert.rejects(atEnd(iterator), { name: "PluginDied", message: "aborted" });
    assert.equal(isAlive(pid), false);
  }));

Deno.test("who stops reading ends the job", () =>
  withBench({}, async (bench) => {
    const run = bench.templates.run(jobOf(`${PID}\nwhile True: yield {"a": [1]}`));
    const { line: pid, iterator } = await atFirstLine(run.frames);
    await iterator.return?.();
    await until(() => !isAlive(pid));
  }));

// Goal: a plugin faster than its sink must wait. 64 MB is what sockets and one read can't hold.
Deno.test("a slow reader holds the plugin back", () =>
  withBench({}, async (bench) => {
    const path = await Deno.makeTempFile();
    const body = `import pyarrow as pa\ntable = pa.table({"s": ["x" * 1000] * 4000})\n` +
      `for n in range(16):\n    open(file_path, "w").write(str(n))\n    yield table`;
    const frames = bench.templates.run(jobOf(body, { filePath: path })).frames;
    const iterator = frames[Symbol.asyncIterator]();
    await iterator.next();
    // Only time could show that it does not go on; a plugin held back shows it by where it stands.
    await until(() => Number(Deno.readTextFileSync(path)) >= 1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.ok(Number(Deno.readTextFileSync(path)) <= 2);
    let batches = 1;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      if (next.value.type === "batch") batches++;
    }
    assert.equal(batches, 16);
    await Deno.remove(path);
  }));

Deno.test("a template that is killed fails its running jobs and the next job gets a new one", () =>
  withBench({}, async (bench) => {
    const run = bench.templates.run(jobOf(`${PID}\nwhile True: pass`));
    const { line: pid, iterator } = await atFirstLine(run.frames);
    bench.started[0]!.kill("SIGKILL");
    await assert.rejects(iterator.next(), PluginDied);
    await until(() => !isAlive(pid));
    await linesOf(bench, jobOf(PID));
    assert.equal(bench.started.length, 2);
  }));

Deno.test("a job that meets a template which died a moment ago runs in a new one", () =>
  withBench({}, async (bench) => {
    await linesOf(bench, jobOf(PID, { isolation: "job" }));
    for (let n = 1; n <= 3; n++) {
      bench.started.at(-1)!.kill("SIGKILL");
      await bench.started.at(-1)!.status;
      await linesOf(bench, jobOf(PID, { artifactHash: `${n}` }));
      assert.equal(bench.started.length, n + 1);
    }
  }));

Deno.test("a template that is stuck is killed with its children when a child must end", () =>
  withBench({ silentMs: 200 }, async (bench) => {
    const run = bench.templates.run(jobOf(`${PID}\nwhile True: pass`));
    const { line: pid, iterator } = await atFirstLine(run.frames);
    bench.started[0]!.kill("SIGSTOP");
    run.kill("timeout");
    await assert.rejects(iterator.next(), { name: "PluginDied", message: "timeout" });
    await until(() => !isAlive(pid));
    assert.equal((await bench.started[0]!.status).signal, "SIGKILL");
  }));

Deno.test("an environment without pyarrow, or without Python, is told with what it said", () =>
  withBench({}, async (bench) => {
    for (const interpreterPath of ["/usr/bin/env", "/no/such/python"]) {
      await assert.rejects(framesOf(bench, jobOf(PID, { interpreterPath })), (error) => {
        assert.ok(error instanceof TemplateError);
        assert.ok(error.message.startsWith(`Cannot start Python at ${interpreterPath}: `));
        return true;
      });
    }
  }));

Deno.test("data roots that differ never share a template", () =>
  withBench({}, async (bench) => {
    await linesOf(bench, jobOf(PID, { dataRoots: ["/a", "/b"] }));
    await linesOf(bench, jobOf(PID, { dataRoots: ["/b", "/a"] }));
    assert.equal(bench.started.length, 1);
    await linesOf(bench, jobOf(PID, { dataRoots: ["/a"] }));
    assert.equal(bench.started.length, 2);
  }));

Deno.test("idle children and templates are ended, but the template used last stays", () =>
  withBench({ childIdleMs: 100, idleMs: 1_000 }, async (bench) => {
    const [a, b] = [jobOf(PID, { dataRoots: ["/a"] }), jobOf(PID, { dataRoots: ["/b"] })];
    const ofA = await linesOf(bench, a);
    bench.nowMs = 50;
    const ofB = await linesOf(bench, b);
    bench.nowMs = 120;
    bench.templates.sweep();
    await until(() => !isAlive(ofA));
    assert.equal(await linesOf(bench, b), ofB);
    bench.nowMs = 5_000;
    bench.templates.sweep();
    await bench.started[0]!.status;
    await linesOf(bench, b);
    assert.equal(bench.started.length, 2);
    await linesOf(bench, a);
    assert.equal(bench.started.length, 3);
  }));

Deno.test("no more templates are kept than allowed, and no more idle children", () =>
  withBench({ templatesMax: 1, childrenIdleMax: 1 }, async (bench) => {
    const first = await linesOf(bench, jobOf(PID, { artifactHash: "1" }));
    await linesOf(bench, jobOf(PID, { artifactHash: "2" }));
    await until(() => !isAlive(first));
    await linesOf(bench, jobOf(PID, { dataRoots: ["/other"] }));
    await bench.started[0]!.status;
  }));

Deno.test("stop() ends running jobs, starting templates and all processes, twice as well as once", () =>
  withBench({}, async (bench) => {
    const run = bench.templates.run(jobOf(`${PID}\nwhile True: pass`));
    const { line: pid, iterator } = await atFirstLine(run.frames);
    const starting = framesOf(bench, jobOf(PID, { dataRoots: ["/other"] }));
    const failing = assert.rejects(starting, PluginDied);
    await until(() => bench.started.length === 2);
    await Promise.all([bench.templates.stop(), bench.templates.stop()]);
    assert.equal(isAlive(pid), false);
    await assert.rejects(iterator.next(), {
      name: "PluginDied",
      message: "The worker is stopping",
    });
    await failing;
    await assert.rejects(framesOf(bench, jobOf(PID)), PluginDied);
  }));

Deno.test("a stranger on the socket, or one that names no child, is turned away", () =>
  withBench({}, async (bench) => {
    await linesOf(bench, jobOf(PID));
    const path = `${bench.folder}/t0/s/b.sock`;
    for (const hello of ['{"child":"c1"}\n', "nonsense\n", "x".repeat(300)]) {
      const stranger = await Deno.connect({ transport: "unix", path });
      await stranger.write(new TextEncoder().encode(hello));
      const read = await stranger.read(new Uint8Array(1)).catch(() => null);
      assert.equal(read, null);
      stranger.close();
    }
    await linesOf(bench, jobOf(PID));
  }));

Deno.test("a child that breaks the framing fails its job and is not used again", () =>
  withBench({}, async (bench) => {
    const breaking =
      `import socket\nfor fd in range(3, 64):\n    try: s = socket.socket(fileno=os.dup(fd))\n` +
      `    except OSError: continue\n    if s.family == socket.AF_UNIX: s.send(b"\\xff\\xff\\xff\\xfa")`;
    await assert.rejects(framesOf(bench, jobOf(breaking)), { name: "BridgeError" });
    await linesOf(bench, jobOf(PID));
  }));

// Goal: a worker is granted sockets by exact path, so numbers must come back when templates end.
Deno.test("templates that come after others have ended use their folders", () =>
  withBench({ templatesMax: 1 }, async (bench) => {
    for (let n = 0; n < 4; n++) {
      await linesOf(bench, jobOf(PID, { dataRoots: [`/${n}`] }));
      await bench.started[n - 1]?.status;
      const folders = [...Deno.readDirSync(bench.folder)].map(({ name }) => name);
      assert.ok(folders.every((name) => name === "t0" || name === "t1"), `${folders}`);
    }
  }));

Deno.test("a run folder whose path is too long for a socket is refused with the reason", () =>
  withBench({}, async ({ folder }) => {
    const long = new Templates({
      launch: () => assert.fail("launched"),
      folder: `${folder}/${"x".repeat(100)}`,
    });
    await assert.rejects(Array.fromAsync(long.run(jobOf(PID)).frames), /at most 100 bytes/);
    await long.stop();
    await Deno.remove(folder, { recursive: true });
  }));
