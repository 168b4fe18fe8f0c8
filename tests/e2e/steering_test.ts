/** An operator's handles on real programs: pause and resume, limits, drains, priorities, filters. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { casparian, casparianJson, eventually, processesWith, Running } from "./casparian.ts";

/** Fails on every file, and gives up early: MANIFEST's `pause_after`. */
const BROKEN = `
MANIFEST = {"pattern": "*.csv", "topic": "rows", "name": "my", "pause_after": 5, "version": "1"}
class Handler:
    def execute(self, file_path):
        raise KeyError("custmer_id")
`;
const MENDED = `
MANIFEST = {"pattern": "*.csv", "topic": "rows", "name": "my", "version": "2"}
class Handler:
    def execute(self, file_path):
        yield {"a": [1]}
`;
const FILES = 30;

/** A folder with data/ and my.py; whatever still runs on its state is ended. */
async function withFolder(plugin: string, use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "cf-" });
  try {
    await Deno.mkdir(join(folder, "data"));
    await Deno.writeTextFile(join(folder, "my.py"), plugin);
    for (let n = 0; n < FILES; n++) await Deno.writeTextFile(join(folder, "data", `${n}.csv`), "a");
    await use(folder);
    await eventually("no process is left behind", () => processesWith(folder).length === 0);
  } finally {
    for (const { pid } of processesWith(folder)) Deno.kill(pid, "SIGKILL");
    await Deno.remove(folder, { recursive: true });
  }
}

const START = ["start", "--root", "data", "--plugin", "my.py", "--output", "out", "--slots", "2"];

Deno.test("a plugin with a mistake stops early, says so everywhere, and goes on when it is mended", () =>
  withFolder(BROKEN, async (folder) => {
    const once = await casparian(folder, ...START, "--once", "--json");
    assert.equal(once.code, 3, once.stderr);
    assert.match(once.stderr, /Plugin 'my' is paused after 5 failures in a row/);
    const { status } = JSON.parse(once.stdout);
    assert.equal(status.idle, true);
    const { FAILED, QUEUED } = status.jobs;
    assert.ok(FAILED >= 5 && FAILED < FILES && FAILED + QUEUED === FILES, JSON.stringify(status));
    assert.match(
      status.held[0],
      /'my' is paused with \d+ jobs queued: 5 failures in a row.*KeyError/,
    );

    await using started = new Running(folder, ...START.filter((arg) => !/plugin|my\.py/.test(arg)));
    await started.says("watching ");
    assert.match(started.output, /held: plugin 'my' is paused/);
    const waited = await casparian(folder, "wait");
    assert.equal(waited.code, 3);
    assert.match(waited.stdout, /held: plugin 'my' is paused.*casparian plugins resume my/);
    const { jobs } = await casparianJson(folder, "jobs", "--status", "QUEUED");
    const one = await casparian(folder, "wait", `${jobs[0].id}`);
    assert.equal(one.code, 3);
    assert.match(one.stdout, new RegExp(`job ${jobs[0].id} is held: the plugin is paused`));
    assert.match((await casparian(folder, "plugins")).stdout, /my .* PAUSED .*5 failures in a row/);
    assert.match(
      (await casparian(folder, "job", `${jobs[0].id}`)).stdout,
      /waits +the plugin is paused/,
    );

    await Deno.writeTextFile(join(folder, "my.py"), MENDED);
    const published = await casparian(folder, "publish", "my.py");
    assert.equal(published.code, 0, published.stderr);
    assert.equal(
      (await casparian(folder, "wait")).code,
      3,
      "those that failed before are still there",
    );
    const after = await casparianJson(folder, "status");
    assert.deepEqual([after.jobs.QUEUED, after.held], [0, []]);
    assert.equal(await started.stop("SIGTERM"), 0);
  }));

Deno.test("an operator pauses, limits, prioritises and drains, and each list shows it", () =>
  withFolder(MENDED, async (folder) => {
    await using started = new Running(folder, ...START);
    await started.says("watching ");
    const paused = await casparianJson(folder, "plugins", "pause", "my", "--reason", "by Ann");
    assert.equal(paused.plugins[0].paused, "by Ann");
    const retried = await casparianJson(
      folder,
      "retry",
      "--status",
      "COMPLETED",
      "--priority",
      "3",
    );
    assert.equal(retried.retried, FILES);
    const all = await casparianJson(folder, "jobs", "--since", "1h", "--root", "data");
    assert.deepEqual(
      new Set(all.jobs.map((job: { priority: number }) => job.priority)),
      new Set([3]),
    );
    const [first] = all.jobs;
    const raised = await casparianJson(folder, "prioritise", `${first.id}`, "--to", "-4");
    assert.equal(raised.prioritised, 1);
    const job = await casparianJson(folder, "job", `${first.id}`);
    assert.deepEqual([job.priority, job.ahead, job.held], [-4, FILES - 1, true]);

    const set = ["plugins", "set", "my", "--weight", "3", "--limit", "2", "--pause-after", "0"];
    const [plugin] = (await casparianJson(folder, ...set)).plugins;
    assert.deepEqual([plugin.weight, plugin.jobs_max, plugin.pause_after], [3, 2, 0]);
    assert.equal((await casparianJson(folder, "roots", "limit", "data", "1")).roots[0].jobs_max, 1);
    const { workers: [worker] } = await casparianJson(folder, "workers");
    const drained = await casparianJson(folder, "workers", "drain", worker.id.slice(0, -2));
    assert.equal(drained.workers[0].draining, true);
    assert.match((await casparian(folder, "workers")).stdout, /drained/);

    await casparianJson(folder, "plugins", "resume", "my");
    const waits = async () => (await casparianJson(folder, "job", `${first.id}`)).waiting_because;
    assert.equal(await waits(), "the only worker drains");
    await casparianJson(folder, "workers", "resume", worker.id);
    await casparianJson(folder, "wait", "--timeout", "50");
    const ran = await casparianJson(folder, "jobs", "--worker", worker.id, "--status", "COMPLETED");
    assert.equal(ran.jobs.length, FILES);
    assert.equal((await casparianJson(folder, "jobs", "--until", "1d")).jobs.length, 0);

    const refused = await casparian(folder, "workers", "drain", "nobody");
    assert.deepEqual([refused.code, /There is no worker 'nobody'/.test(refused.stderr)], [1, true]);
    assert.equal((await casparian(folder, "plugins", "set", "my")).code, 2);
    assert.equal((await casparian(folder, "jobs", "--since", "yesterday")).code, 2);
    assert.equal(await started.stop("SIGTERM"), 0);
  }));
