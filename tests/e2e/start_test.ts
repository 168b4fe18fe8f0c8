/** `casparian start` with real processes, from a user's folder to Parquet that others read. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { casparian, casparianJson, eventually, processesWith, Running } from "./casparian.ts";

const PLUGIN = `
import pyarrow.csv as csv
MANIFEST = {"pattern": "*.csv", "topic": "rows"}
class Handler:
    def execute(self, file_path):
        print("reading", file_path)
        yield csv.read_csv(file_path)
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

const addFile = (folder: string, name: string, rows: number) =>
  Deno.writeTextFile(
    join(folder, "data", name),
    ["a,b", ...Array.from({ length: rows }, (_, row) => `${row},x`), ""].join("\n"),
  );

const START = ["start", "--root", "data", "--plugin", "my.py", "--output", "out"];

// deno-lint-ignore no-explicit-any
const rowsOf = (status: any, topic = "rows") =>
  // deno-lint-ignore no-explicit-any
  status.topics.find((each: any) => each.topic === topic)?.rows ?? 0;

async function untilRows(folder: string, rows: number): Promise<void> {
  await eventually(`${rows} rows`, async () => {
    const status = await casparianJson(folder, "status");
    return status.idle && rowsOf(status) === rows;
  });
}

function parquetFiles(folder: string): string[] {
  return [...Deno.readDirSync(join(folder, "out", "rows"))]
    .filter(({ isFile }) => isFile).map(({ name }) => name).toSorted();
}

Deno.test("a folder is worked off, watched, and a restart repeats nothing", () =>
  withFolder(async (folder) => {
    await addFile(folder, "one.csv", 3);
    {
      await using started = new Running(folder, ...START);
      await started.says("watching ");
      assert.match(started.output, /my +1 +0/);
      assert.match(started.output, /rows +1 +3 .*\/out\/rows/);

      await addFile(folder, "two.csv", 4);
      await untilRows(folder, 7);
      await addFile(folder, "one.csv", 10);
      await untilRows(folder, 14);
      await Deno.remove(join(folder, "data", "two.csv"));
      await casparianJson(folder, "scan");
      await casparianJson(folder, "wait");
      assert.equal(await started.stop("SIGINT"), 130);
    }
    const before = parquetFiles(folder);
    const again = await casparian(folder, ...START, "--once", "--json");
    assert.equal(again.code, 0, again.stderr);
    const { status } = JSON.parse(again.stdout);
    assert.equal(status.jobs.COMPLETED, 3);
    assert.deepEqual(parquetFiles(folder), before);
  }));

Deno.test("client commands show and steer what runs", () =>
  withFolder(async (folder) => {
    await addFile(folder, "good.csv", 3);
    await Deno.writeTextFile(join(folder, "data", "bad\n.csv"), 'a,b\n1,2,3\n"');
    await using started = new Running(folder, ...START);
    await started.says("watching ");
    assert.match(started.output, /bad\\n\.csv/);

    const { jobs } = await casparianJson(folder, "jobs", "--status", "failed");
    assert.equal(jobs.length, 1);
    const [{ id, error_kind }] = jobs;
    assert.equal(error_kind, "plugin");
    const shown = await casparian(folder, "job", `${id}`);
    assert.match(shown.stdout, /FAILED[^]*my\.py", line 7[^]*CSV/);
    const logs = await casparian(folder, "logs", `${id}`);
    assert.match(logs.stdout, /#1 stdout +reading .*bad/);

    assert.equal((await casparianJson(folder, "retry", "--failed")).retried, 1);
    const waited = await casparian(folder, "wait", `${id}`, "--timeout", "30");
    assert.equal(waited.code, 3);
    const details = await casparianJson(folder, "job", `${id}`);
    assert.equal(details.attempts.length, 2);
    assert.equal((await casparian(folder, "cancel", "999")).code, 1);
    assert.equal((await casparianJson(folder, "workers")).workers.length, 1);
    assert.equal((await casparianJson(folder, "plugins")).plugins[0].status, "ACTIVE");
    assert.equal((await casparianJson(folder, "envs")).environments.length, 1);

    const broken = join(folder, "broken.py");
    await Deno.writeTextFile(broken, "def f(:\n");
    const refused = await casparian(folder, "publish", "broken.py");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /Line 1, column 7/);
    assert.equal(await started.stop("SIGTERM"), 0);
  }));

Deno.test("a second start on the same state is refused with who holds it", () =>
  withFolder(async (folder) => {
    await using started = new Running(folder, ...START);
    await started.says("watching ");
    const second = await casparian(folder, ...START, "--once");
    assert.equal(second.code, 1);
    assert.match(second.stderr, /in use by another .*process \d+/);
  }));

Deno.test("a sentinel or worker that is killed is started again, and nothing is lost", () =>
  withFolder(async (folder) => {
    await using started = new Running(folder, ...START);
    await started.says("watching ");
    let rows = 0;
    for (const program of ["worker", "sentinel"] as const) {
      const [victim] = processesWith(`--in-place ${program}`).filter(({ line }) =>
        line.includes(folder)
      );
      Deno.kill(victim!.pid, "SIGKILL");
      await started.says(`${program}: died and is started again`);
      await addFile(folder, `${program}.csv`, 5);
      await eventually(`the ${program} is back`, async () => {
        const { code, stdout } = await casparian(folder, "status", "--json");
        return code === 0 && rowsOf(JSON.parse(stdout)) === rows + 5;
      });
      rows += 5;
    }
  }));

Deno.test("when start is killed, its programs end too", () =>
  withFolder(async (folder) => {
    await addFile(folder, "one.csv", 1);
    const started = new Running(folder, ...START);
    await started.says("watching ");
    const [supervisor] = processesWith("--in-place start").filter(({ line }) =>
      line.includes(folder)
    );
    Deno.kill(supervisor!.pid, "SIGKILL");
    assert.notEqual((await started.status).code, 0);
    await eventually("its programs end", () => processesWith(folder).length === 0);
  }));

Deno.test("what makes start impossible is told as it is, with its exit code", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "text.db"), "this is no database, but long enough\n");
    const cases: [string[], number, RegExp][] = [
      [["--deck", "127.0.0.1:8000"], 2, /no dashboard/],
      [["--database", "mysql://x"], 2, /must be sqlite:\/\/PATH.*got mysql:\/\/x/],
      [["--listen", "tcp://0.0.0.0:5555"], 2, /--insecure-tcp --yes-really/],
      [["--root", "nowhere"], 1, /nowhere does not exist/],
      [["--plugin", "nowhere.py"], 1, /nowhere.py does not exist/],
      [["--database", "sqlite://text.db"], 1, /text\.db/],
      [["--slots", "many"], 2, /whole number/],
    ];
    for (const [args, code, message] of cases) {
      const ended = await casparian(folder, "start", "--once", ...args);
      assert.match(ended.stderr, message);
      assert.equal(ended.code, code, `${args}: ${ended.stderr}`);
      assert.doesNotMatch(ended.stderr, /\bat .*\.ts:\d+/, "no stack trace");
    }
  }));

Deno.test("sentinel and worker started by hand meet over TCP", () =>
  withFolder(async (folder) => {
    await addFile(folder, "one.csv", 2);
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const address = `tcp://127.0.0.1:${listener.addr.port}`;
    listener.close();
    await using sentinel = new Running(
      ...[folder, "sentinel", "--listen", address, "--database", "sqlite://db.sqlite3"] as const,
      ...["--root", "data", "--state", "s"],
    );
    await sentinel.says("The sentinel listens");
    assert.match(sentinel.output, /plain TCP/);
    await using worker = new Running(
      ...[folder, "worker", "--connect", address, "--state", "w", "--output", "out"] as const,
    );
    const published = await casparian(folder, "publish", "my.py", "--connect", address);
    assert.equal(published.code, 0, published.stderr);
    assert.equal((await casparian(folder, "wait", "--connect", address)).code, 0);
    const status = await casparianJson(folder, "status", "--connect", address);
    assert.equal(rowsOf(status), 2);
    assert.equal(parquetFiles(folder).length, 1);
    assert.equal(await worker.stop("SIGINT"), 0);
    assert.equal(await sentinel.stop("SIGINT"), 0);
  }));
