/**
 * The whole product's bundle, where there is nothing else: an empty root with a shell and Python, no network,
 * another user without a home, and the bundle itself read-only in a folder with odd characters.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { COMMANDS } from "../../protocol/commands.ts";
import { RELEASE } from "../../protocol/release.ts";
import { testEnvironment } from "../../worker/test_tools.ts";
import { eventually, PROJECT } from "./casparian.ts";
import { Host, labRefusal, signal } from "./lab/hosts.ts";
import { wheelFolder } from "./lab/wheels.ts";

const refusal = await labRefusal();

const USER = 4242;
const FOLDER = '/opt/it\'s a "bundle"';
const CASPARIAN = `${FOLDER}/casparian`;

const PLUGIN = `# /// script
# dependencies = []
# ///
MANIFEST = {"pattern": "*.txt", "topic": "words"}
class Handler:
    def execute(self, file_path):
        yield {"word": open(file_path).read().split()}
`;

interface Made {
  readonly folder: string;
  readonly archiveHash: string;
  readonly archiveBytes: number;
}

async function makeBundle(to: string): Promise<Made> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "bundle", "--json", "--to", to],
    cwd: PROJECT,
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** A host that has the bundle, wheels for one environment, and a folder that its user may write to. */
async function openHost(folder: string, bundle: string, uv: string): Promise<Host> {
  for (const name of ["root", "work"]) await Deno.mkdir(join(folder, name));
  await Deno.writeTextFile(join(folder, "work", "words.py"), PLUGIN);
  await Deno.mkdir(join(folder, "work", "in"));
  await Deno.writeTextFile(join(folder, "work", "in", "a.txt"), "one two three");
  await Deno.chown(join(folder, "work"), USER, USER);
  await Deno.chmod(folder, 0o755);
  return await Host.openInEmptyRoot("lonely", join(folder, "root"), [
    ["ro", bundle, FOLDER],
    ["ro", uv, "/srv/uv"],
    ["ro", await wheelFolder(), "/srv/wheels"],
    ["rw", join(folder, "work"), "/work here"],
  ]);
}

Deno.test({
  name: `a bundle runs every command where there is nothing but Python${
    refusal === null ? "" : ` (skipped: ${refusal})`
  }`,
  ignore: refusal !== null,
  fn: async (t) => {
    const folder = await Deno.makeTempDir({ prefix: "casparian-bundle-" });
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => Deno.remove(folder, { recursive: true }));
    const made = await makeBundle(join(folder, "dist"));
    const host = cleanup.use(
      await openHost(folder, made.folder, (await testEnvironment()).CASPARIAN_UV!),
    );
    const env = { CASPARIAN_UV: "/srv/uv", UV_OFFLINE: "1", UV_FIND_LINKS: "/srv/wheels" };
    const run = (...args: string[]) =>
      host.run([CASPARIAN, ...args], { user: USER, env, cwd: "/work here" });

    await t.step("made again it is the same to the byte", async () => {
      assert.equal((await makeBundle(join(folder, "again"))).archiveHash, made.archiveHash);
    });

    await t.step(
      "every command tells of itself, and nothing asks for a network or a home",
      async () => {
        const { stdout } = await run("--help");
        for (const { name, summary } of COMMANDS.filter(({ file }) => !/portable/.test(file))) {
          assert.match(stdout, new RegExp(`${name} .*${summary}`));
          const help = await run(name, "--help");
          assert.deepEqual([help.code, help.stderr], [0, ""], name);
        }
        assert.doesNotMatch(stdout, /bundle|compile/);
      },
    );

    await t.step("a plugin is tried, and this machine is examined", async () => {
      const tried = await run("run", "words.py", "in/a.txt", "--json");
      assert.equal(tried.code, 0, tried.stderr);
      assert.match(tried.stdout, /"word":"three"/);
      const doctor = await run("doctor");
      assert.equal(doctor.code, 0, doctor.stdout);
      assert.match(doctor.stdout, /ok +uv +\/srv\/uv\n/);
    });

    await t.step("files become tables", async () => {
      const args = ["--root", "in", "--plugin", "words.py", "--output", "tables", "--once"];
      const started = await run("start", ...args);
      assert.equal(started.code, 0, started.stdout + started.stderr);
      assert.match(started.stdout, /words +1 +3 /);
    });

    await t.step("it is linked and installed elsewhere, and starts from there", async () => {
      assert.equal((await run("install", "--to", "bin")).code, 0);
      await Deno.symlink(CASPARIAN, join(folder, "work", "link"));
      for (const launcher of ["/work here/bin/casparian", "/work here/link"]) {
        const { stdout, stderr } = await host.run([launcher, "--version"], {
          user: USER,
          cwd: "/",
        });
        assert.deepEqual([stdout, stderr], [`${RELEASE}\n`, ""], launcher);
      }
    });

    await t.step("it is probed, and SIGTERM ends it in order", async () => {
      const program = host.spawn([CASPARIAN, "start", "--root", "in"], {
        user: USER,
        env,
        cwd: "/work here",
      });
      const output = program.output();
      await eventually("it is ready", async () => (await run("health", "--ready")).code === 0);
      signal(program, "SIGTERM");
      assert.equal((await output).code, 0);
      const probed = await run("health");
      assert.equal(probed.code, 1, probed.stdout);
      assert.deepEqual(host.processes(), []);
    });
  },
});
