import assert from "node:assert/strict";
import { join } from "node:path";
import { LogFile } from "./log_file.ts";
import { planStart } from "./start_plan.ts";
import { takeStateFolder } from "./state_folder.ts";
import { lastError } from "./supervised.ts";

async function withTempDir(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a program's last words are its error, else whatever it said that is no log line", () => {
  const log = "2026-01-31T10:00:00.000Z warning careful";
  assert.equal(
    lastError([log, "error: Cannot open db", "as it is a text"]),
    [
      "Cannot open db",
      "as it is a text",
    ].join("\n"),
  );
  assert.equal(lastError(["error: first", "error: second"]), "second");
  assert.equal(lastError(["Segmentation fault"]), "Segmentation fault");
  assert.equal(lastError([log]), undefined);
});

Deno.test("a log file that would grow over its bound makes way and is kept once", () =>
  withTempDir(async (folder) => {
    const log = new LogFile(folder, "worker", 10);
    for (const line of ["1234", "5678", "9", "a line that is longer than the bound"]) {
      log.write(line);
    }
    log.close();
    assert.equal(await Deno.readTextFile(log.path), "a line that is longer than the bound\n");
    assert.equal(await Deno.readTextFile(`${log.path}.1`), "9\n");
    const again = new LogFile(folder, "worker", 100);
    again.write("more");
    again.close();
    assert.match(await Deno.readTextFile(log.path), /bound\nmore\n$/);
  }));

Deno.test("a state folder is for one start at a time, and for its user alone", () =>
  withTempDir(async (folder) => {
    const state = join(folder, "state");
    const first = await takeStateFolder(state);
    assert.equal((await Deno.stat(state)).mode! & 0o777, 0o700);
    await assert.rejects(
      takeStateFolder(state),
      new RegExp(`in use by another .*process ${Deno.pid}`),
    );
    first[Symbol.dispose]();
    (await takeStateFolder(state))[Symbol.dispose]();
  }));

Deno.test("a state folder that is a file is refused", () =>
  withTempDir(async (folder) => {
    const state = join(folder, "file");
    await Deno.writeTextFile(state, "");
    await assert.rejects(takeStateFolder(state), /Cannot use .*file as the state folder/);
  }));

Deno.test("what start was told reaches its programs as absolute paths", () =>
  withTempDir(async (folder) => {
    await Deno.mkdir(join(folder, "data"));
    const options = { state: ".casparian", root: ["in=data"], database: "sqlite://db" };
    const plan = await planStart(options, folder);
    assert.deepEqual(plan.sentinelArgs(), [
      ...["--state", join(folder, ".casparian")],
      ...["--output", join(folder, ".casparian", "output")],
      ...["--database", `sqlite://${join(folder, "db")}`],
      ...["--root", `in=${join(folder, "data")}`],
    ]);
    const again = plan.sentinelArgs("ipc:///x");
    assert.equal(again[again.indexOf("--listen") + 1], "ipc:///x");
    assert.deepEqual(plan.workerArgs("ipc:///x").slice(0, 2), ["--connect", "ipc:///x"]);
  }));

Deno.test("how files arrive is told of every root that is named, and of no other", () =>
  withTempDir(async (folder) => {
    const root = [`in=${folder}`];
    const options = {
      state: "s",
      root,
      marker: "*.done",
      ignore: ["*.bak"],
      pollOnly: "auto",
    } as const;
    const args = (await planStart({ ...options, root }, folder)).sentinelArgs();
    const rules = { poll_only: null, marker: "*.done", ignore: ["*.bak"] };
    assert.deepEqual(JSON.parse(args.at(-1)!), { [folder]: rules });
    const again = (await planStart({ ...options, root }, folder)).sentinelArgs("ipc:///x");
    assert.ok(!again.includes("--root-rules"), "what was set since then is kept");
    const cleared = { state: "s", root, marker: false, partial: false, ignore: false } as const;
    const none = (await planStart({ ...cleared, root }, folder)).sentinelArgs().at(-1)!;
    assert.deepEqual(JSON.parse(none), { [folder]: { marker: null, partial: [], ignore: [] } });
  }));

Deno.test("the demo has its root and all its plugins", async () => {
  const plan = await planStart({ state: "s", demo: true }, "/tmp");
  assert.match(plan.roots[0]!, /^demo=.*\/demo\/data$/);
  assert.ok(plan.plugins.some((path) => path.endsWith("/sales_csv.py")));
  assert.match(plan.sentinelArgs().at(-1)!, /^\{"\/.*\/demo\/data":\{"patience_ms":0\}\}$/);
});
