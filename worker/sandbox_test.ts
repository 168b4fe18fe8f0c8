import assert from "node:assert/strict";
import { join } from "node:path";
import { launchToEnd, runToEnd } from "./launcher.ts";
import { layOut, probeSandbox, processEnvironment, sandboxArgv } from "./sandbox.ts";

const sandbox = await probeSandbox();
const ignore = sandbox.way === "none"; // nothing to test where the kernel gives no namespaces

interface Box {
  scratchDir: string;
  socketsDir: string;
  dataDir: string;
  prefix: string;
  python: string;
}

async function withBox(use: (box: Box) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "casparian-sandbox-" });
  const { python, prefix } = await hostPython();
  const box = {
    scratchDir: join(dir, "scratch"),
    socketsDir: join(dir, "sockets"),
    dataDir: join(dir, "data root"),
    prefix,
    python,
  };
  for (const folder of [box.scratchDir, box.socketsDir, box.dataDir]) await Deno.mkdir(folder);
  await Deno.writeTextFile(join(box.dataDir, "a.csv"), "x\n1\n");
  try {
    await use(box);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function hostPython(): Promise<{ python: string; prefix: string }> {
  const script = "import sys; print(sys.executable); print(sys.base_prefix)";
  const path = Deno.env.get("PATH") ?? "";
  const asked = await runToEnd(["python3", "-I", "-c", script], { environment: { PATH: path } });
  const [python = "", prefix = ""] = asked.stdout.split("\n");
  return { python, prefix };
}

function viewOf(box: Box, hidden: string[] = []) {
  return {
    readOnly: [box.prefix, box.dataDir],
    hidden,
    socketsDir: box.socketsDir,
    scratchDir: box.scratchDir,
    environment: processEnvironment(box.scratchDir),
  };
}

async function runBoxed(box: Box, argv: string[], hidden: string[] = []) {
  const words = await sandboxArgv(sandbox, argv, viewOf(box, hidden));
  return await launchToEnd(words.slice(1), { limitMs: 20_000 });
}

async function evaluate(box: Box, source: string): Promise<string> {
  const result = await runBoxed(box, [box.python, "-I", "-c", source]);
  assert.equal(result.stderr, "");
  return result.stdout.trim();
}

Deno.test({
  name: "a sandboxed process has no network but for an interface that leads nowhere",
  ignore,
  fn: () =>
    withBox(async (box) => {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      try {
        const source = `import socket
names = [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]]
try: socket.create_connection(("127.0.0.1", ${listener.addr.port}), 2); reached = True
except OSError: reached = False
print(names, reached)`;
        assert.equal(await evaluate(box, source), "['lo'] False");
      } finally {
        listener.close();
      }
    }),
});

Deno.test({
  name: "a sandboxed process sees none of the host's processes",
  ignore,
  fn: () =>
    withBox(async (box) => {
      const source = `import os
print(max(int(name) for name in os.listdir("/proc") if name.isdigit()) < 1000)
print(any("deno" in open(f"/proc/{name}/comm").read() for name in os.listdir("/proc") if name.isdigit()))`;
      assert.equal(await evaluate(box, source), "True\nFalse");
    }),
});

Deno.test({
  name: "a sandboxed process sees exactly the environment it was given",
  ignore,
  fn: () =>
    withBox(async (box) => {
      const { stdout } = await runBoxed(box, ["env"]);
      const seen = Object.fromEntries(stdout.trim().split("\n").map((line) => line.split("=", 2)));
      assert.deepEqual(seen, processEnvironment(box.scratchDir));
    }),
});

Deno.test({
  name: "without namespaces the environment is scrubbed all the same",
  fn: () =>
    withBox(async (box) => {
      const words = await sandboxArgv({ way: "none" }, ["env"], viewOf(box));
      const { stdout } = await launchToEnd(words.slice(1), {});
      assert.equal(stdout.includes("USER="), false);
      assert.equal(stdout.trim().split("\n").length, Object.keys(viewOf(box).environment).length);
    }),
});

Deno.test({
  name: "data roots can be read but not written, the scratch folder can",
  ignore,
  fn: () =>
    withBox(async (box) => {
      const source = `import os
def writes(path):
    try: open(path, "w").write("x"); return True
    except OSError as error: return error.strerror
print(open(${JSON.stringify(join(box.dataDir, "a.csv"))}).read().split())
print(writes(${JSON.stringify(join(box.dataDir, "b"))}), writes("/usr/b"), writes("/b"))
print(os.getcwd() == os.environ["HOME"], writes("b"), writes("/tmp/b"))`;
      const readOnly = "Read-only file system";
      assert.equal(
        await evaluate(box, source),
        `['x', '1']\n${readOnly} ${readOnly} ${readOnly}\nTrue True True`,
      );
      assert.equal(await Deno.readTextFile(join(box.scratchDir, "b")), "x");
    }),
});

// Goal: what lies in such a folder takes memory that no process of the plugin holds.
Deno.test({
  name: "folders in memory hold a twentieth of it at most",
  ignore,
  fn: () =>
    withBox(async (box) => {
      const source = `import os
for folder in ("/tmp", "/dev/shm"):
    disk = os.statvfs(folder)
    print(disk.f_blocks * disk.f_frsize)`;
      for (const line of (await evaluate(box, source)).split("\n")) {
        assert.ok(Number(line) > 0 && Number(line) < 0.051 * Deno.systemMemoryInfo().total, line);
      }
    }),
});

Deno.test({
  name: "a hidden folder in a data root is empty, and the home folder is not there",
  ignore,
  fn: () =>
    withBox(async (box) => {
      const secrets = join(box.dataDir, "secrets");
      await Deno.mkdir(secrets);
      await Deno.writeTextFile(join(secrets, "key"), "secret");
      const home = Deno.env.get("HOME") ?? "/home";
      const look = ["sh", "-c", `ls -A "$1"; ls -A "$2"`, "sh", secrets, home];
      const { stdout } = await runBoxed(box, look, [secrets]);
      // The interpreter itself may live below the home folder: then its first folder is there.
      const [first] = box.prefix.startsWith(home)
        ? box.prefix.slice(home.length + 1).split("/")
        : [];
      assert.equal(stdout, first === undefined ? "" : `${first}\n`);
    }),
});

Deno.test({
  name: "a sandboxed process reaches a Unix socket in the sockets folder",
  ignore,
  fn: () =>
    withBox(async (box) => {
      const path = join(box.socketsDir, "bridge.sock");
      const listener = Deno.listen({ transport: "unix", path });
      const accepted = listener.accept();
      const source = `import socket
s = socket.socket(socket.AF_UNIX); s.connect(${
        JSON.stringify(path)
      }); s.sendall(b"hello"); s.close()`;
      try {
        await evaluate(box, source);
        using connection = await accepted;
        const bytes = new Uint8Array(16);
        const length = await connection.read(bytes) ?? 0;
        assert.equal(new TextDecoder().decode(bytes.subarray(0, length)), "hello");
      } finally {
        listener.close();
      }
    }),
});

Deno.test({
  name: "a sandboxed process can fork into PID namespaces of its own",
  ignore,
  fn: () =>
    withBox(async (box) => {
      const source = `import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.unshare(0x20000000), flush=True)
child = os.fork()
if child == 0: print(os.getpid(), flush=True); os._exit(0)
os.waitpid(child, 0)`;
      assert.equal(await evaluate(box, source), "0\n1");
    }),
});

// The sleeper holds the pipe open that this test reads: its end is the sleeper's death.
async function sleeperOutlives(box: Box, end: (worker: Deno.ChildProcess) => void): Promise<void> {
  const sleeper = ["sh", "-c", "setsid sleep 300 & echo started; wait"];
  const words = await sandboxArgv(sandbox, sleeper, viewOf(box));
  const worker = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `const [cmd, ...args] = ${JSON.stringify(words)};
      const child = new Deno.Command(cmd, { args, stdin: "null", stdout: "inherit" }).spawn();
      Deno.stdin.read(new Uint8Array(1)).then(() => child.kill("SIGKILL"));
      await child.status; Deno.exit(0);`,
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = worker.stdout.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await reader.read()).value, "started\n");
  end(worker);
  if (await finishesWithin(5_000, reader.read()) === false) assert.fail("The sleeper lives on");
  if (await finishesWithin(10, worker.status) === false) worker.kill("SIGKILL");
  await worker.status;
  await worker.stdin.close().catch(() => {});
  await reader.cancel();
}

async function finishesWithin(limitMs: number, work: Promise<unknown>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), limitMs);
  const finished = await Promise.race([promise, work.then(() => true)]);
  clearTimeout(timer);
  return finished;
}

Deno.test({
  name: "killing the outermost process ends a grandchild with a session of its own",
  ignore,
  fn: () =>
    withBox((box) =>
      sleeperOutlives(box, async (worker) => {
        const writer = worker.stdin.getWriter();
        await writer.write(new Uint8Array(1));
        writer.releaseLock();
      })
    ),
});

Deno.test({
  name: "a worker killed by SIGKILL leaves no sandboxed process behind",
  ignore,
  fn: () => withBox((box) => sleeperOutlives(box, (worker) => worker.kill("SIGKILL"))),
});

Deno.test("layOut() mounts parents first, and nothing twice", () => {
  const words = layOut([
    { kind: "rw", path: "/data/state/run", real: "/data/state/run" },
    { kind: "hide", path: "/data/state", real: "/data/state" },
    { kind: "ro", path: "/data", real: "/data" },
    { kind: "ro", path: "/data/sub", real: "/data/sub" },
    { kind: "ro", path: "/usr/lib/python3", real: "/usr/lib/python3" },
    { kind: "hide", path: "/elsewhere", real: "/elsewhere" },
  ], "/data/state/run");
  const mounts = ["ro", "/data", "hide", "/data/state", "rw", "/data/state/run"];
  assert.deepEqual(words, [...mounts, "cd", "/data/state/run"]);
});

Deno.test("layOut() keeps a linked path as a link, so that hiding works under every name", () => {
  const words = layOut([
    { kind: "ro", path: "/link", real: "/data" },
    { kind: "ro", path: "/link/sub", real: "/data/sub" },
    { kind: "hide", path: "/data/state", real: "/data/state" },
  ], "/");
  const mounts = ["ro", "/data", "hide", "/data/state"];
  assert.deepEqual(words, [...mounts, "link", "/link", "/data", "cd", "/"]);
});
