/**
 * Three hosts with a network between them: a sentinel, and two that have nothing but Python and a worker's
 * bundle, run by another user. They share a folder of files and one of tables, which each has elsewhere.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { RELEASE } from "../../protocol/release.ts";
import { eventually, PROJECT } from "./casparian.ts";
import { labRefusal, signal } from "./lab/hosts.ts";
import { BUNDLE, Site, SLOTS, USER } from "./lab/site.ts";

const refusal = await labRefusal();

/** More than one host's slots and what it is given ahead: the other gets some as well. */
const JOBS = 16;

/** Each file says how long its job takes: until a file of that name is there. */
const PLUGIN = `# /// script
# dependencies = []
# ///
import os, socket, time
MANIFEST = {"pattern": "*.job", "topic": "lines", "version": "1"}
class Handler:
    def execute(self, file_path):
        gate, *words = open(file_path).read().split()
        while not os.path.exists(os.path.join(os.path.dirname(file_path), gate)):
            time.sleep(0.02)
        yield {"word": words, "host": [socket.gethostname()] * len(words)}
`;

async function makeBundle(folder: string): Promise<string> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "bundle", "--only", "worker", "--with-uv", "--to", folder],
    cwd: PROJECT,
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return join(folder, `${BUNDLE.split("/").at(-1)}.tar.gz`);
}

Deno.test({
  name: `a host that is cut off loses its jobs, doubles nothing and is taken back${
    refusal === null ? "" : ` (skipped: ${refusal})`
  }`,
  ignore: refusal !== null,
  fn: async (t) => {
    await using site = await Site.open();
    const archive = await makeBundle(join(site.folder, "dist"));
    const opt = join(site.folder, "opt");
    const a = await site.openWorkerHost("a", 1, [
      ["ro", archive, "/srv/bundle.tar.gz"],
      ["rw", opt, "/opt/of casparian"],
      ["ro", site.input, "/data/incoming"],
      ["rw", site.tables, "/lake"],
    ]);
    const b = await site.openWorkerHost("b", 2, [
      ["ro", opt, "/opt/of casparian"],
      ["ro", site.input, "/srv/x/in"],
      ["rw", site.tables, "/srv/y/tables"],
    ]);

    await t.step("a bundle is unpacked by Python alone, by a user without a home", async () => {
      const argv = ["python3", "-m", "tarfile", "-e", "/srv/bundle.tar.gz", "/opt/of casparian"];
      const { code, stderr } = await a.run(argv, { user: USER });
      assert.equal(code, 0, stderr);
      const version = await b.run([`${BUNDLE}/casparian`, "--version"], { user: USER });
      assert.deepEqual([version.stdout, version.stderr], [`${RELEASE}\n`, ""]);
      const client = await b.run([`${BUNDLE}/casparian`, "status"], { user: USER });
      assert.match(client.stderr, /Cannot run 'status' as this bundle is without it/);
    });

    await site.startSentinel();
    const workerA = site.startWorker(a, 1, "/data/incoming", "/lake");
    const workerB = site.startWorker(b, 2, "/srv/x/in", "/srv/y/tables");
    await Deno.writeTextFile(join(site.folder, "lines.py"), PLUGIN);
    await site.ask("topics", "set", "lines", "--mode", "replace");
    await site.ask("publish", "lines.py");

    const first = names("first", JOBS);
    await t.step("both hosts take jobs, wherever each has its folders", async () => {
      await site.addFiles(first, "gate-1");
      await eventually("each host runs some", async () => {
        const { a = 0, b = 0 } = await site.running();
        return a >= SLOTS && b >= SLOTS;
      });
    });

    await t.step("what a host that is cut off was doing is done by the other", async () => {
      await site.sentinelHost.cut(a);
      await site.openGate("gate-1"); // both go on: storage has a network of its own
      await eventually("all are done", async () => await site.completed() === JOBS);
      assert.equal(await site.isConnected("a"), false);
      const rows = await site.rows();
      assert.deepEqual(rows.map(({ word }) => word), words(first));
      assert.deepEqual([...new Set(rows.map(({ host }) => host))], ["b"]);
      assert.notDeepEqual(await site.staged(), [], "the lost host has done them as well");
      const probe = [`${BUNDLE}/casparian`, "health", "worker", "--state", "/var/casparian"];
      assert.equal((await a.run(probe, { user: USER })).code, 0, "it lives, and must not be ended");
      const ready = () => a.run([...probe, "--ready"], { user: USER });
      await eventually("it says that it can take no work", async () => (await ready()).code === 1);
      assert.equal(
        (await ready()).stdout,
        "worker works, but is not ready: its sentinel is silent\n",
      );
    });

    const second = names("second", JOBS);
    await t.step("the host is taken back, and what it did meanwhile is thrown away", async () => {
      await site.sentinelHost.mend(a);
      await eventually("it is connected", () => site.isConnected("a"));
      await eventually("nothing staged is left", async () => (await site.staged()).length === 0);
      await site.addFiles(second, "gate-2");
      await eventually("each host runs some", async () => {
        const { a = 0, b = 0 } = await site.running();
        return a >= SLOTS && b >= SLOTS;
      });
      await site.openGate("gate-2");
      await eventually("all are done", async () => await site.completed() === 2 * JOBS);
      const rows = await site.rows();
      assert.deepEqual(rows.map(({ word }) => word), words([...first, ...second]));
      assert.deepEqual(new Set(rows.map(({ host }) => host)), new Set(["a", "b"]));
    });

    await t.step("a host that is asked to stop ends in order", async () => {
      signal(workerA, "SIGTERM");
      assert.equal((await workerA.status).code, 0);
      assert.deepEqual(a.processes(), []);
      assert.deepEqual(await namesIn(join(site.folder, "state-a", "run")), []);
    });

    await t.step(
      "what it wrote is replaced by the other, who knows it by another path",
      async () => {
        const before = await site.rows();
        await site.addFiles(first, "gate-1", "changed");
        await site.addFiles(second, "gate-2", "changed");
        await eventually("all are done again", async () => await site.completed() === 4 * JOBS);
        await eventually("nothing is left to do", () => site.isIdle());
        const rows = await site.rows();
        assert.equal(rows.length, before.length);
        assert.ok(
          rows.every(({ word, host }) => host === "b" && word.endsWith("changed")),
          `${rows}`,
        );
        assert.equal((await namesIn(join(site.tables, "lines"))).length, 2 * JOBS);
      },
    );

    await t.step("nothing is left when all have stopped", async () => {
      for (const program of [workerB, site.sentinel]) {
        signal(program, "SIGTERM");
        assert.equal((await program.status).code, 0);
      }
      assert.deepEqual([...b.processes(), ...site.sentinelHost.processes()], []);
      assert.deepEqual(await site.staged(), []);
    });
  },
});

const names = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, at) => `${prefix}${String.fromCharCode(97 + at)}`);
const words = (files: readonly string[]) =>
  files.flatMap((name) => [`${name}-1`, `${name}-2`]).toSorted();

async function namesIn(folder: string): Promise<string[]> {
  const all = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  return all.filter((name) => !name.startsWith(".")).toSorted();
}
