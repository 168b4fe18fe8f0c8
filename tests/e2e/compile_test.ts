/** `deno task compile`, as far as it can go without the runtime that Deno embeds, which is a download. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { compiledFlags } from "../../security/launch.ts";
import { PROJECT } from "./casparian.ts";

/** @param env Beside an environment in which no download can succeed and nothing is cached. */
async function compile(folder: string, env: Record<string, string>, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "compile", "--to", folder, ...args],
    cwd: PROJECT,
    env: {
      DENO_DIR: join(folder, "deno"),
      HTTPS_PROXY: "http://127.0.0.1:9",
      NO_COLOR: "1",
      ...env,
    },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "casparian-compile-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).toSorted();

Deno.test("compile without the runtime to embed ends with 1, says why and what to do, and leaves nothing", () =>
  inFolder(async (folder) => {
    const { code, stderr, stdout } = await compile(folder, {});
    assert.equal(code, 1, stdout + stderr);
    assert.match(
      stderr,
      /^error: Cannot compile as the runtime to embed \(denort\) must be downloaded/,
    );
    assert.match(stderr, /DENORT_BIN, or make a bundle: deno task bundle --only worker\n$/);
    assert.doesNotMatch(stderr, /\n\s+at |Stack backtrace/);
    assert.deepEqual(names(folder), ["deno"]);
  }));

// Deno's own program stands in for the runtime: what is made cannot run, but all that is put into it is there.
Deno.test("a compiled worker holds what a bundle does, and exactly the permissions that it was made with", () =>
  inFolder(async (folder) => {
    const args = ["--connect", "tcp://127.0.0.1:5555", "--state", "/var/lib/casparian"];
    const made = await compile(folder, { DENORT_BIN: Deno.execPath() }, "--", ...args);
    assert.equal(made.code, 0, made.stderr);
    assert.deepEqual(names(folder), ["casparian-worker", "deno"]);
    const bytes = Buffer.from(await Deno.readFile(join(folder, "casparian-worker")));
    const start = bytes.lastIndexOf(`{"argv":`);
    const text = bytes.toString("utf8", start, start + 16_384);
    const strings = (name: string) =>
      JSON.parse(new RegExp(`"${name}":(\\[[^\\]]*\\])`).exec(text)![1]!);
    const expected = compiledFlags(args);
    assert.deepEqual(strings("argv"), ["--in-place", "worker", ...expected.args]);
    for (const flag of expected.flags.filter((flag) => flag.startsWith("--allow-"))) {
      const [name = "", list] = flag.slice("--allow-".length).split("=");
      assert.deepEqual(strings(`allow_${name}`), list?.split(",") ?? [], flag);
    }
    for (const part of ["launch.sh", "bridge_shim.py", "addon.node", "parquet_wasm_bg.wasm"]) {
      assert.ok(bytes.includes(part), part);
    }
    assert.ok(!bytes.includes("worker_test.ts"), "no test comes along");
  }));

Deno.test("a compiled worker cannot be given folders that are not absolute", () =>
  inFolder(async (folder) => {
    const { code, stderr } = await compile(folder, {}, "--", "--state", "state", "--map=lake=lake");
    assert.equal(code, 2);
    assert.match(stderr, /relative path as nobody knows where it will run: got state, lake/);
  }));
