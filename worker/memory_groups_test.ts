import assert from "node:assert/strict";
import { join } from "node:path";
import { LAUNCHER } from "./launcher.ts";
import { prepareGroups } from "./memory_groups.ts";

/** A tree that looks like the kernel's, with one group; who may write to it is told by its modes. */
async function prepared(
  group: string,
  files: Record<string, string>,
  mark?: "unmarked" | "delegated",
): Promise<{ stdout: string; stderr: string; read(path: string): Promise<string | null> }> {
  const root = await Deno.makeTempDir();
  const dir = join(root, group);
  await Deno.mkdir(dir, { recursive: true });
  for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(join(dir, name), text);
  await Deno.writeTextFile(join(root, "self"), `4:memory:/elsewhere\n0::${group}\n`);
  // Stands in for the program that reads marks: file systems of tests need not have any.
  const bin = join(root, "bin");
  await Deno.mkdir(bin);
  const says = mark === "delegated" ? "printf 1" : "exit 1";
  await Deno.writeTextFile(join(bin, "getfattr"), `#!/bin/sh\n${says}\n`, { mode: 0o755 });
  const { stdout, stderr } = await new Deno.Command(LAUNCHER, {
    args: ["groups", join(root, "self"), root],
    env: { PATH: `${bin}:${Deno.env.get("PATH")}` },
  }).output();
  const read = (path: string) => Deno.readTextFile(join(dir, path)).catch(() => null);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim().replaceAll(root, "");
  const result = { stdout: text(stdout), stderr: text(stderr), read };
  const own = await read("casparian/cgroup.procs");
  const control = await read("cgroup.subtree_control");
  await Deno.remove(root, { recursive: true });
  const kept: Record<string, string | null> = {
    "casparian/cgroup.procs": own,
    "cgroup.subtree_control": control,
  };
  return { ...result, read: (path) => Promise.resolve(kept[path] ?? null) };
}

const FILES = {
  "cgroup.controllers": "cpu memory pids\n",
  "cgroup.subtree_control": "",
  "cgroup.procs": "4321\n",
};

Deno.test("a group that was delegated is made ready: its processes in one of their own, memory enabled", async () => {
  for (
    const [group, files, mark] of [
      ["/system.slice/casparian.service", FILES, "delegated"],
      ["/", { ...FILES, "cgroup.type": "domain\n" }, "unmarked"], // the topmost one of a container
    ] as const
  ) {
    const { stdout, stderr, read } = await prepared(group, files, mark);
    assert.deepEqual([stdout, stderr], [group === "/" ? "" : group, ""]);
    assert.equal(await read("casparian/cgroup.procs"), "4321\n");
    assert.equal(await read("cgroup.subtree_control"), "+memory\n");
  }
});

Deno.test("a worker that is started again finds the same place from the group it was put into", async () => {
  const group = "/system.slice/casparian.service";
  const { stdout } = await prepared(`${group}/casparian`, {}, "delegated");
  assert.equal(stdout, "");
});

Deno.test("what is not ours is left alone, with the reason", async () => {
  const cases = [
    // The kernel's own topmost group has no type, and everything of the host below it.
    ["/", FILES, /must be delegated/],
    ["/a", { ...FILES, "cgroup.controllers": "cpu pids\n" }, /controller memory.*'cpu pids'/],
    ["/a", {}, /version 2/],
  ] as const;
  for (const [group, files, reason] of cases) {
    const { stdout, stderr, read } = await prepared(group, files, "unmarked");
    assert.equal(stdout, "");
    assert.match(stderr, reason);
    assert.equal(await read("casparian/cgroup.procs"), null);
  }
});

Deno.test("this host either has a group for us, or says why not", async () => {
  const { directory, missing } = await prepareGroups();
  assert.ok(directory?.startsWith("/sys/fs/cgroup") || (missing ?? "").length > 10);
});
