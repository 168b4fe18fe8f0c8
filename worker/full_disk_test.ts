/** A disk that is full: a real one, of four megabytes, that only the worker sees. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../tests/processes.ts";
import { RealWorker, withRoot } from "../tests/real_worker.ts";

const MIB = 1024 * 1024;
/** Runs a program in a mount namespace where the folder is such a disk. */
const onSmallDisk = (folder: string) => [
  ...["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"],
  `mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"`,
  folder,
];
const { success: mayMount } = await new Deno.Command("unshare", {
  args: [...onSmallDisk("/mnt").slice(1), "true"],
  stderr: "null",
}).output().catch(() => ({ success: false }));
if (!mayMount) console.warn("Skipped: this host lets nobody mount a small disk (user namespaces)");

/** So many random bytes, which no encoder makes smaller. */
const randomRows = (bytes: number, rows = 1) => `
import os
class Handler:
    def execute(self, file_path):
        for n in range(${rows}): yield {"b": [os.urandom(${Math.round(bytes)})]}
`;
const HERE = [{ topic: "t", uri: "parquet://output/t", mode: "replace" as const }];
const ELSEWHERE = [{ topic: "t", uri: "parquet://lake/t", mode: "replace" as const }];

Deno.test({
  name: "a full disk fails jobs as a sink's error that is worth a retry, and stops nothing else",
  ignore: !mayMount,
  fn: () =>
    withRoot(async (root) => {
      const [output, lake] = [join(root, "out"), join(root, "lake")];
      await Deno.mkdir(output);
      await using worker = await RealWorker.start(root, {
        through: onSmallDisk(output),
        args: ["--map", `lake=${lake}`],
      });
      await worker.sentinel.next("heartbeat");
      /** The folder as the worker sees it. */
      const seen = (path: string) => `/proc/${worker.pid}/root${path}`;
      const staged = async () =>
        (await Array.fromAsync(Deno.readDir(seen(`${output}/t/.staging`)))).map(({ name }) => name);
      let jobId = 0;
      const run = async (source: string, sinks = HERE) => {
        worker.dispatch(++jobId, source, { sinks });
        return { jobId, ...await worker.concluded(jobId) };
      };

      // In one go at the end, or while the rows still come: both find no room.
      for (const source of [randomRows(0.9 * MIB), randomRows(1.5 * MIB, 4)]) {
        await Deno.writeFile(seen(`${output}/filler`), new Uint8Array(3.6 * MIB));
        const full = await run(source);
        assert.deepEqual([full.status, full.error_kind, full.retryable], ["FAILED", "sink", true]);
        assert.match(full.error_message ?? "", /No space left.*free space there/i);
        assert.deepEqual(await staged(), [], "half of an output is left");
        assert.equal((await run(randomRows(1000))).status, "SUCCESS", "a small one has room");
        assert.equal((await run(source, ELSEWHERE)).status, "SUCCESS", "another disk has room");
        await Deno.remove(seen(`${output}/filler`));
        for (const late of [jobId - 1, jobId]) {
          worker.sentinel.send("ack", late, { success: false, message: "late", attempt: 1 });
        }
        await until("there is room again", async () => (await staged()).length === 0);
      }
      const again = await run(randomRows(0.9 * MIB));
      assert.equal(again.status, "SUCCESS", again.error_message);
      worker.sentinel.send("ack", again.jobId, { success: true, message: "ok", attempt: 1 });
      await worker.sentinel.next("call", ({ body }) => body.method === "outputs.promoted");
    }),
});
