import assert from "node:assert/strict";
import { join } from "node:path";
import { CliError, EXIT, UsageError } from "../protocol/exit_codes.ts";
import type { CliIo, StopSignal } from "../protocol/ports.ts";
import { hashText } from "./source_file.ts";
import { runPlugin } from "./run_command.ts";

const TWO_COLUMNS = `
import pyarrow as pa
MANIFEST = {"pattern": "*.csv", "topic": "numbers"}
class Handler:
    def execute(self, file_path):
        print("seen", file_path.rsplit("/")[-1])
        rows = [int(line) for line in open(file_path)]
        yield {"n": rows, "square": [n * n for n in rows]}
`;

class Bench {
  readonly out: string[] = [];
  readonly err: string[] = [];
  interrupt: (signal: StopSignal) => void = () => {};

  constructor(readonly root: string) {}

  async plugin(source: string): Promise<string> {
    const path = join(this.root, "p.py");
    await Deno.writeTextFile(path, source);
    return path;
  }

  async file(name: string, text: string): Promise<string> {
    await Deno.writeTextFile(join(this.root, name), text);
    return name;
  }

  run(plugin: string, files: string[], options: Record<string, unknown> = {}): Promise<number> {
    return runPlugin(plugin, files, { state: "state", ...options }, {
      io: this.#io(),
      clock: { nowMs: () => Date.now() },
      random: { next: () => 0 },
      logger: { log: () => {} },
      startId: "0a1b2c3d",
      environment: environment(),
    });
  }

  #io(): CliIo {
    return {
      args: [],
      cwd: this.root,
      env: () => undefined,
      nowMs: () => Date.now(),
      stdout: (line) => this.out.push(line),
      stderr: (line) => this.err.push(line),
      draw() {},
      isTerminal: false,
      columns: 100,
      exitCode: 0,
      onInterrupt: (callback) => {
        this.interrupt = callback;
        return () => {};
      },
    };
  }
}

function environment(): Record<string, string> {
  const names = ["PATH", "HOME", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "UV_DEFAULT_INDEX"];
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

/** One state folder for all tests: the environment is built once. */
const root = await Deno.makeTempDir({ prefix: "run-" });
Deno.test.afterAll(() => Deno.remove(root, { recursive: true }));

function run(name: string, use: (bench: Bench) => Promise<void>): void {
  Deno.test(name, async () => {
    await use(new Bench(root));
    const left = await Array.fromAsync(Deno.readDir(join(root, "state", "run"))).catch(() => []);
    assert.deepEqual(left, [], "sockets or scratch folders are left");
  });
}

run("a plugin shows schema, first rows and a summary of each file", async (bench) => {
  const plugin = await bench.plugin(TWO_COLUMNS);
  const files = [await bench.file("a.csv", "1\n2\n3\n"), await bench.file("b.csv", "4\n")];
  assert.equal(await bench.run(plugin, files, { rows: "2" }), EXIT.ok, bench.err.join("\n"));
  const text = bench.out.join("\n");
  assert.match(text, /a\.csv → numbers: 3 rows, 2 columns\n {2}n: int64\n {2}square: int64/);
  assert.match(text, / n {2}square\n.*\n {2}1 {7}1\n {2}2 {7}4\n {2}… 1 more row\n/);
  assert.match(text, /a\.csv: 3 rows in [\d.]+ s \([\d,]+ rows\/s\), peak memory \d+ MiB/);
  assert.match(text, /b\.csv → numbers: 1 row, 2 columns/);
  assert.ok(bench.err.includes("seen a.csv"));
});

run("files that fail say why, at the plugin's line, and the others still run", async (bench) => {
  const plugin = await bench.plugin(TWO_COLUMNS);
  const files = ["gone.csv", await bench.file("bad.csv", "x\n"), await bench.file("a.csv", "1\n")];
  assert.equal(await bench.run(plugin, files), EXIT.someFailed);
  const errors = bench.err.join("\n");
  assert.match(errors, /gone\.csv: failed\n.*vanished/);
  assert.match(errors, /bad\.csv: failed\n[\s\S]*p\.py", line 7[\s\S]*ValueError/);
  assert.match(bench.out.join("\n"), /a\.csv → numbers: 1 row/);
});

run("--json is one line for each file", async (bench) => {
  const plugin = await bench.plugin(TWO_COLUMNS);
  const files = [await bench.file("a.csv", "3\n"), "gone.csv"];
  assert.equal(await bench.run(plugin, files, { json: true }), EXIT.someFailed);
  const [a, gone] = bench.out.map((line) => JSON.parse(line));
  assert.deepEqual([a.file, a.rows, a.error], ["a.csv", 1, null]);
  assert.deepEqual(a.topics[0].rows, [{ n: 3, square: 9 }]);
  assert.equal(gone.error.kind, "file_changed");
});

run("what a sink would refuse is refused here as well", async (bench) => {
  const plugin = await bench.plugin(TWO_COLUMNS.replace(`"n": rows`, `"_cf_n": rows`));
  const files = [await bench.file("a.csv", "1\n")];
  assert.equal(await bench.run(plugin, files), EXIT.someFailed);
  assert.match(bench.err.join("\n"), /names that start with _cf_/);
});

run("a topic that is not in the MANIFEST is refused", async (bench) => {
  const plugin = await bench.plugin(TWO_COLUMNS.replace("yield {", `yield "other", {`));
  const files = [await bench.file("a.csv", "1\n")];
  assert.equal(await bench.run(plugin, files), EXIT.someFailed);
  assert.match(bench.err.join("\n"), /other/);
});

run(
  "a plugin that can not be used, and a wrong option, end before anything starts",
  async (bench) => {
    const refused = (promise: Promise<number>, error: typeof CliError, says: RegExp) =>
      assert.rejects(promise, (cause) => cause instanceof error && says.test(cause.message));
    await refused(bench.run("none.py", ["a.csv"]), CliError, /no such file/);
    await refused(bench.run(await bench.plugin("x = 1\n"), ["a.csv"]), CliError, /MANIFEST/);
    const plugin = await bench.plugin(TWO_COLUMNS);
    await refused(bench.run(plugin, ["a.csv"], { rows: "many" }), UsageError, /--rows/);
  },
);

run("a plugin that does not end is ended by its limit", async (bench) => {
  const plugin = await bench.plugin(
    TWO_COLUMNS.replace("rows = ", "while True: pass\n        rows = "),
  );
  const files = [await bench.file("a.csv", "1\n")];
  assert.equal(await bench.run(plugin, files, { timeout: "0.2" }), EXIT.someFailed);
  assert.match(bench.err.join("\n"), /longer than 200 ms/);
});

run("Ctrl-C ends the plugin and all that it started", async (bench) => {
  const waits =
    `print("waiting", flush=True)\n        import time; time.sleep(60)\n        rows = `;
  const plugin = await bench.plugin(TWO_COLUMNS.replace("rows = ", waits));
  const files = [await bench.file("a.csv", "1\n")];
  const ended = bench.run(plugin, files);
  while (!bench.err.includes("waiting")) await new Promise((done) => setTimeout(done, 5));
  bench.interrupt("SIGINT");
  assert.equal(await ended, EXIT.interrupted);
});

Deno.test("the same requirements are locked once", async () => {
  const locks = await Array.fromAsync(Deno.readDir(join(root, "state", "locks")));
  assert.equal(locks.length, 1);
  assert.match(locks[0]!.name, /^[0-9a-f]{64}\.lock$/);
  const text = await Deno.readTextFile(join(root, "state", "locks", locks[0]!.name));
  await Deno.stat(join(root, "state", "envs", hashText(text)));
});
