import assert from "node:assert/strict";
import { join } from "node:path";
import { EnvironmentError } from "./environment_error.ts";
import { writeMarker } from "./environment_marker.ts";
import { Environments } from "./environments.ts";
import { findHostPython } from "./host_python.ts";
import { runToEnd } from "./launcher.ts";
import { processesOf, until } from "../tests/processes.ts";
import { PROJECT, testEnvironment } from "./test_tools.ts";

const environment = await testEnvironment();
const locked = await withState((stateDir) => open(stateDir).resolve({ requirements: ["six"] }));

function open(stateDir: string, more: Record<string, string> = {}): Environments {
  return new Environments({ stateDir, environment: { ...environment, ...more }, nowMs: Date.now });
}

async function withState<T>(use: (stateDir: string) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "casparian-envs-" });
  try {
    return await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function names(dir: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(dir))).map((entry) => entry.name).toSorted();
}

/** Runs in a process of its own, as another worker on the same state folder would. */
function otherWorker(stateDir: string, more: Record<string, string> = {}): Deno.ChildProcess {
  const module = JSON.stringify(new URL("./environments.ts", import.meta.url).href);
  const source = `
    const { Environments } = await import(${module});
    const environments = new Environments({
      stateDir: ${JSON.stringify(stateDir)},
      environment: Deno.env.toObject(),
      nowMs: Date.now,
    });
    const { cached } = await environments.prepare(${JSON.stringify(locked)}, console.log);
    console.log("cached", cached);`;
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", source],
    cwd: PROJECT,
    env: { ...environment, ...more },
    stdout: "piped",
  }).spawn();
}

/** A uv that stops, for good, before it installs anything. */
async function stuckUv(dir: string): Promise<{ CASPARIAN_UV: string }> {
  const path = join(dir, "stuck-uv");
  const script = `#!/bin/sh
case "$1 $2" in "pip install") echo Stuck >&2; exec sleep 300;; esac
exec ${environment.CASPARIAN_UV} "$@"\n`;
  await Deno.writeTextFile(path, script, { mode: 0o755 });
  return { CASPARIAN_UV: path };
}

/** A uv that reaches no index. */
async function offlineUv(dir: string): Promise<{ CASPARIAN_UV: string }> {
  const path = join(dir, "offline-uv");
  const script = `#!/bin/sh
case "$*" in
  *--offline* | venv* | --version) exec ${environment.CASPARIAN_UV} "$@" ;;
  *) echo "error: error sending request for url" >&2; exit 2 ;;
esac\n`;
  await Deno.writeTextFile(path, script, { mode: 0o755 });
  return { CASPARIAN_UV: path };
}

Deno.test("resolve() pins every package by hash, adds pyarrow, and names no index", () => {
  assert.match(locked.lockfileContent, /^# casparian-lock 1 python>=3\.\d+\npyarrow==/);
  assert.match(locked.lockfileContent, /^six==\S+ \\\n {4}--hash=sha256:/m);
  assert.doesNotMatch(locked.lockfileContent, /https?:|index|find-links/);
});

Deno.test("resolve() gives uv's explanation of a dependency that does not exist", async () => {
  await withState(async (stateDir) => {
    const name = "casparian-no-such-package";
    await assert.rejects(
      open(stateDir).resolve({ requirements: [`${name}>=2`] }),
      (error) =>
        error instanceof EnvironmentError && error.message.includes(`${name} was not found`) &&
        error.message.length < 2_100,
    );
  });
});

Deno.test("prepare() builds once, keeps the log, and later needs neither uv nor network", async () => {
  await withState(async (stateDir) => {
    const lines: string[] = [];
    const first = await open(stateDir).prepare(locked, (line) => lines.push(line));
    assert.equal(first.cached, false);
    const argv = [
      first.interpreterPath,
      "-I",
      "-c",
      "import six, pyarrow; print(pyarrow.__file__)",
    ];
    const home = join(stateDir, "envs", locked.envHash);
    const { stdout } = await runToEnd(argv, { environment: {} });
    assert.ok(stdout.startsWith(home) && first.folders.includes(home), stdout);

    const log = await Deno.readTextFile(join(stateDir, "envs", "logs", `${locked.envHash}.log`));
    assert.equal(log, lines.join("\n") + "\n");
    assert.match(log, / \+ six==/);
    const compiled = await names(
      join(home, "lib", await python(home), "site-packages", "pyarrow", "__pycache__"),
    );
    assert.ok(compiled.some((name) => name.startsWith("__init__.")), "pyarrow is not compiled");

    const again = await open(stateDir, {
      CASPARIAN_UV: "/nowhere/uv",
      CASPARIAN_PYTHON: "/nowhere",
    })
      .prepare(locked);
    assert.deepEqual(again, { ...first, cached: true });
    assert.deepEqual(await names(join(stateDir, "envs", ".building")), []);
  });
});

async function python(home: string): Promise<string> {
  return (await names(join(home, "lib")))[0] ?? "";
}

Deno.test("prepare() builds from the cache when the index can not be reached", async () => {
  await withState(async (stateDir) => {
    await open(stateDir).prepare(locked); // fills the cache
    await Deno.remove(join(stateDir, "envs"), { recursive: true });
    const lines: string[] = [];
    const offline = open(stateDir, await offlineUv(stateDir));
    assert.equal((await offline.prepare(locked, (line) => lines.push(line))).cached, false);
    assert.ok(lines.some((line) => line.startsWith("The package index can not be reached")));
    await assert.rejects(
      offline.resolve({ requirements: ["casparian-no-such-package"] }),
      /error sending request/,
    );
  });
});

Deno.test("two workers that prepare the same environment at once build it once", async () => {
  await withState(async (stateDir) => {
    const workers = [otherWorker(stateDir), otherWorker(stateDir)];
    const outputs = await Promise.all(workers.map((worker) => worker.output()));
    const texts = outputs.map(({ stdout }) => new TextDecoder().decode(stdout)).toSorted();
    assert.match(texts[0] ?? "", /cached (true|false)\n$/);
    assert.deepEqual(texts.map((text) => /cached (\w+)/.exec(text)?.[1]).toSorted(), [
      "false",
      "true",
    ]);
  });
});

Deno.test("a worker killed in mid-build leaves nothing that is taken for ready", async () => {
  await withState(async (stateDir) => {
    const worker = otherWorker(stateDir, await stuckUv(stateDir));
    let output = "";
    for await (const text of worker.stdout.pipeThrough(new TextDecoderStream())) {
      output += text;
      if (output.includes("Stuck\n")) worker.kill("SIGKILL");
    }
    await worker.status;
    await until("uv has ended", () => processesOf(stateDir).length === 0);

    const environments = open(stateDir);
    const building = join(stateDir, "envs", ".building");
    assert.equal((await names(building)).length, 1);
    assert.deepEqual(await environments.list(), []);
    await environments.sweep();
    assert.deepEqual(await names(building), []);
    assert.equal((await environments.prepare(locked)).cached, false);
  });
});

Deno.test("a build that is given up ends uv, leaves nothing, and does not stop the next one", async () => {
  await withState(async (stateDir) => {
    const stop = new AbortController();
    const environments = open(stateDir, await stuckUv(stateDir));
    const onLog = (line: string) => {
      if (line.startsWith("Stuck")) stop.abort(new Error("Given up"));
    };
    await assert.rejects(environments.prepare(locked, onLog, stop.signal), /Given up/);
    await until("uv has ended", () => processesOf(stateDir).length === 0);
    assert.deepEqual(await names(join(stateDir, "envs", ".building")), []);
    assert.equal((await open(stateDir).prepare(locked)).cached, false);
  });
});

Deno.test("waiting for another's build can be given up, and sweeping leaves that build alone", async () => {
  await withState(async (stateDir) => {
    const stuck = new AbortController();
    const started = Promise.withResolvers<void>();
    const environments = open(stateDir, await stuckUv(stateDir));
    const building = environments.prepare(locked, (line) => {
      if (line.startsWith("Stuck")) started.resolve();
    }, stuck.signal);
    await started.promise;
    await environments.sweep();
    assert.equal((await names(join(stateDir, "envs", ".building"))).length, 1);

    const stop = new AbortController();
    const onLog = (line: string) =>
      line.startsWith("Waiting") && stop.abort(new Error("No longer"));
    await assert.rejects(open(stateDir).prepare(locked, onLog, stop.signal), /No longer/);
    stuck.abort(new Error("Done"));
    await assert.rejects(building, /Done/);
  });
});

Deno.test("an environment whose interpreter is gone is made again", async () => {
  await withState(async (stateDir) => {
    const environments = open(stateDir);
    const { interpreterPath } = await environments.prepare(locked);
    await Deno.remove(interpreterPath);
    await Deno.symlink("/nowhere/python3", interpreterPath);
    assert.equal((await environments.prepare(locked)).cached, false);
    assert.equal((await environments.prepare(locked)).cached, true);
  });
});

Deno.test("a build over its time limit is ended", async () => {
  await withState(async (stateDir) => {
    const given = { ...environment, ...await stuckUv(stateDir) };
    const environments = new Environments({
      stateDir,
      environment: given,
      nowMs: Date.now,
      limitMs: 2_000,
    });
    await assert.rejects(environments.prepare(locked), { name: "TimeoutError" });
  });
});

Deno.test("prepare() refuses a lockfile of another hash, and what is no lockfile", async () => {
  await withState(async (stateDir) => {
    const environments = open(stateDir);
    const changed = { ...locked, lockfileContent: `${locked.lockfileContent}\n` };
    await assert.rejects(environments.prepare(changed), /must be the lockfile's SHA-256/);
    const outside = { envHash: "../outside", lockfileContent: locked.lockfileContent };
    await assert.rejects(environments.prepare(outside), EnvironmentError);
    assert.deepEqual(await environments.list(), []);
  });
});

Deno.test("prepare() says so when a locked file is not what the index has", async () => {
  await withState(async (stateDir) => {
    const lockfileContent = locked.lockfileContent.replaceAll(
      /sha256:[0-9a-f]{8}/g,
      "sha256:00000000",
    );
    const envHash = await sha256(lockfileContent);
    await assert.rejects(
      open(stateDir).prepare({ envHash, lockfileContent }),
      (error) =>
        error instanceof EnvironmentError && /locked dependencies.*[Hh]ash/s.test(error.message),
    );
  });
});

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}

const PROJECT_FILE = '[project]\nname = "plug"\nversion = "1"\nrequires-python = ">=3.10"\n' +
  'dependencies = ["pyarrow", "six"]\n\n[dependency-groups]\ndev = ["iniconfig"]\n';
const SCRIPT_FILE =
  '# /// script\n# requires-python = ">=3.10"\n# dependencies = ["pyarrow", "six"]\n# ///\n';

for (
  const { kind, files, args, lock } of [
    {
      kind: "a uv.lock of a project",
      files: { "pyproject.toml": PROJECT_FILE },
      args: ["lock"],
      lock: "uv.lock",
    },
    {
      kind: "a uv.lock of a script",
      files: { "p.py": SCRIPT_FILE },
      args: ["lock", "--script", "p.py"],
      lock: "p.py.lock",
    },
    {
      kind: "a pylock.toml",
      files: { "requirements.in": "pyarrow\nsix\n" },
      args: ["pip", "compile", "-q", "requirements.in", "--universal", "-o", "pylock.toml"],
      lock: "pylock.toml",
    },
  ]
) {
  Deno.test(`prepare() installs ${kind}, without its development packages`, async () => {
    await withState(async (stateDir) => {
      for (const [name, text] of Object.entries(files)) {
        await Deno.writeTextFile(join(stateDir, name), text);
      }
      const made = await runToEnd([environment.CASPARIAN_UV ?? "uv", ...args], {
        environment,
        cwd: stateDir,
      });
      assert.ok(made.success, made.stderr);
      const lockfileContent = await Deno.readTextFile(join(stateDir, lock));
      const request = { envHash: await sha256(lockfileContent), lockfileContent };
      const { interpreterPath } = await open(stateDir).prepare(request);
      const source =
        "import six, pyarrow, importlib.util; print(importlib.util.find_spec('iniconfig'))";
      const ran = await runToEnd([interpreterPath, "-I", "-c", source], { environment: {} });
      assert.equal(ran.stdout, "None\n", ran.stderr);
    });
  });
}

Deno.test('"system" is the host\'s own Python', async () => {
  await withState(async (stateDir) => {
    const host = await findHostPython(environment);
    const prepared = await open(stateDir).prepare({ envHash: "system", lockfileContent: "" });
    assert.deepEqual(prepared, {
      interpreterPath: host.path,
      cached: true,
      folders: host.prefixes,
    });
  });
});

Deno.test("collect() removes the longest unused first, but none in use", async () => {
  await withState(async (stateDir) => {
    const [a, b, c] = ["a", "b", "c"].map((letter) => letter.repeat(64)) as [
      string,
      string,
      string,
    ];
    const host = await findHostPython(environment);
    const bytes = 10_000;
    for (const [envHash, usedMs] of [[a, 3_000], [b, 1_000], [c, 2_000]] as const) {
      const home = join(stateDir, "envs", envHash);
      await Deno.mkdir(home, { recursive: true });
      await Deno.writeFile(join(home, "data"), new Uint8Array(bytes));
      await writeMarker(home, { envHash, python: host, builtMs: 1 });
      const now = () => usedMs;
      await new Environments({ stateDir, environment, nowMs: now }).touch(envHash);
    }
    const environments = open(stateDir);
    assert.deepEqual((await environments.list()).map((e) => [e.envHash, e.bytes, e.lastUsedMs]), [
      [b, bytes, 1_000],
      [c, bytes, 2_000],
      [a, bytes, 3_000],
    ]);
    assert.deepEqual(await environments.collect(3 * bytes, new Set()), []);
    assert.deepEqual(await environments.collect(bytes, new Set([b])), [c, a]);
    assert.deepEqual((await environments.list()).map((e) => e.envHash), [b]);
    assert.deepEqual(await names(join(stateDir, "envs", ".building")), []);
  });
});
