/** Files that are still arriving, through the whole product: real processes, a real plugin, the command line. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { casparian, casparianJson, eventually, processesWith, Running } from "./casparian.ts";

const PLUGIN = `
import gzip, time
MANIFEST = {"pattern": ["*.csv", "*.csv.gz"], "topic": "rows"}
class Handler:
    def execute(self, file_path):
        opened = gzip.open if file_path.endswith(".gz") else open
        with opened(file_path, "rt") as file:
            lines = [file.readline()]
            if lines == ["slow\\n"]:
                print("reading slowly", flush=True)
                time.sleep(2)
            lines += file.readlines()
        yield [{"line": line.strip()} for line in lines]
`;

/** A folder with data/ and my.py; whatever still runs on its state is ended. */
async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "cf-" });
  try {
    await Deno.mkdir(join(folder, "data"));
    await Deno.writeTextFile(join(folder, "my.py"), PLUGIN);
    await use(folder);
    await eventually("no process is left behind", () => processesWith(folder).length === 0);
  } finally {
    for (const { pid } of processesWith(folder)) Deno.kill(pid, "SIGKILL");
    await Deno.remove(folder, { recursive: true });
  }
}

/** Appends a byte now and then, and never comes to the end. */
class SlowWriter implements Disposable {
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(path: string, bytes: Uint8Array) {
    let length = 20;
    const write = () =>
      Deno.writeFileSync(path, bytes.subarray(0, Math.min(++length, bytes.length - 1)));
    write();
    this.#timer = setInterval(write, 500);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

const START = ["start", "--root", "data", "--plugin", "my.py", "--output", "out"];

Deno.test("a file that changes while it is read is read again, and only its new rows are there", () =>
  withFolder(async (folder) => {
    const path = join(folder, "data", "x.csv");
    await Deno.writeTextFile(path, "slow\n1\n2\n3\n");
    await using started = new Running(folder, ...START, "--settle", "200", "--poll", "500");
    await eventually("the plugin reads slowly", async () => {
      const { code, stdout } = await casparian(folder, "logs", "1");
      return code === 0 && stdout.includes("reading slowly");
    });
    await Deno.writeTextFile(path, "new\n");
    await started.says("watching ");
    await eventually("the new rows are there", async () => {
      const { topics, idle } = await casparianJson(folder, "status");
      return idle && topics[0]?.rows === 1;
    });
    const { attempts } = await casparianJson(folder, "job", "1");
    assert.equal(attempts[0].error_kind, "file_changed");
    const { jobs } = await casparianJson(folder, "jobs");
    assert.deepEqual(jobs.map(({ state }: { state: string }) => state).sort(), [
      "CANCELLED",
      "COMPLETED",
    ]);
    assert.equal(await started.stop("SIGTERM"), 0);
  }));

Deno.test("--once says what it waits for, waits no longer than the patience, and says what was missing", () =>
  withFolder(async (folder) => {
    const path = join(folder, "data", "x.csv.gz");
    const whole = gzipSync("row\n".repeat(10_000));
    await Deno.writeTextFile(join(folder, "data", "y.csv"), "1\n");
    await using started = new Running(folder, ...START, "--once", "--patience", "9000");
    {
      using _writing = new SlowWriter(path, whole);
      await started.says("1 file in 'data' still arriving, such as x.csv.gz: it");
    }
    await started.says("such as x.csv.gz: its gzip trailer is not there yet");
    const { files } = await casparianJson(folder, "files", "--only", "arriving");
    assert.deepEqual(files.map(({ path }: { path: string }) => path), ["x.csv.gz"]);
    const status = await casparian(folder, "status");
    assert.match(status.stdout, /1 still arriving \(casparian files --only arriving\)/);
    assert.equal((await started.status).code, 3); // the plugin says that the file is broken
    assert.match(started.output, /EOFError/);
  }));

Deno.test("a file that lacks its marker is left alone, told, and taken when the rule goes", () =>
  withFolder(async (folder) => {
    for (const name of ["a.csv", "b.csv", "b.csv.done"]) {
      await Deno.writeTextFile(join(folder, "data", name), "1\n");
    }
    await using started = new Running(
      folder,
      ...START,
      "--marker",
      "*.done",
      "--settle",
      "100",
      "--patience",
      "500",
    );
    await started.says("watching ");
    assert.match(started.output, /1 file not taken yet: casparian files --only arriving/);
    const shown = await casparian(folder, "files", "--only", "arriving");
    assert.match(shown.stdout, /data\/a\.csv +arriving: its marker a\.csv\.done is not there yet/);
    const roots = await casparian(folder, "roots");
    assert.match(
      roots.stdout,
      /settle 100 ms, patience 500 ms, polled every 10 s, marker \*\.done/,
    );
    const wrong = await casparian(folder, "roots", "set", "data", "--marker", "*");
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /marker: a name that holds '\*'/);
    assert.equal((await casparian(folder, "roots", "set", "data")).code, 2);
    const changed = await casparianJson(
      folder,
      "roots",
      "set",
      "data",
      "--no-marker",
      "--ignore",
      "*.done",
    );
    assert.deepEqual([changed.roots[0].marker, changed.roots[0].ignore], [null, ["*.done"]]);
    await eventually("both are taken", async () => {
      const { topics, idle } = await casparianJson(folder, "status");
      return idle && topics[0]?.rows === 2;
    });
    assert.equal((await casparianJson(folder, "files", "--only", "arriving")).files.length, 0);
    assert.equal(await started.stop("SIGTERM"), 0);
  }));
