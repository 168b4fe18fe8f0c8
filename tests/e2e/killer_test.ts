/** A file that ends every worker that runs it; the test is what ends them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { casparian, casparianJson, eventually, processesWith, Running } from "./casparian.ts";

const PLUGIN = `
import time
MANIFEST = {"pattern": "*.csv", "topic": "rows"}
class Handler:
    def execute(self, file_path):
        if file_path.endswith("killer.csv"):
            time.sleep(600)
        yield {"a": [1]}
`;
const INNOCENTS = 20;

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "cf-" });
  try {
    await Deno.mkdir(join(folder, "data"));
    await Deno.writeTextFile(join(folder, "my.py"), PLUGIN);
    for (let n = 0; n < INNOCENTS; n++) {
      await Deno.writeTextFile(join(folder, "data", `${n}.csv`), "a");
    }
    await Deno.writeTextFile(join(folder, "data", "killer.csv"), "a");
    await use(folder);
    await eventually("no process is left behind", () => processesWith(folder).length === 0);
  } finally {
    for (const { pid } of processesWith(folder)) Deno.kill(pid, "SIGKILL");
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a file that ends five workers is parked with a reason, and all else is done", () =>
  withFolder(async (folder) => {
    const start = ["start", "--root", "data", "--plugin", "my.py", "--output", "out"];
    await using started = new Running(folder, ...start, "--slots", "2");
    const killer = async () => {
      const { code, stdout } = await casparian(folder, "jobs", "--path", "killer", "--json");
      return code === 0 ? JSON.parse(stdout).jobs[0] : undefined;
    };
    let kills = 0;
    await eventually("the killer is parked", async () => {
      const job = await killer();
      if (job?.state !== "RUNNING") return job?.state === "FAILED";
      const worker = processesWith("--in-place worker").find(({ line }) => line.includes(folder));
      if (worker && job.attempt > kills) {
        Deno.kill(worker.pid, "SIGKILL");
        kills++;
      }
      return false;
    }, 180);
    assert.equal(kills, 5);
    const { id } = await killer();
    const job = await casparianJson(folder, "job", `${id}`);
    assert.deepEqual([job.error_kind, job.lost_workers], ["worker_lost", 5]);
    assert.match(job.error_message, /killer file: worker .* nothing but this job.*casparian retry/);
    const waited = await casparian(folder, "wait", "--timeout", "50");
    assert.equal(waited.code, 3, waited.stderr);
    const { jobs } = await casparianJson(folder, "status");
    assert.deepEqual([jobs.COMPLETED, jobs.FAILED], [INNOCENTS, 1]);
    assert.equal(await started.stop("SIGTERM"), 0);
  }));
