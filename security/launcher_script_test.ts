import assert from "node:assert/strict";
import { join } from "node:path";
import { installedLauncher, linkLauncher, portableLauncher } from "./launcher_script.ts";

const TASK =
  "deno run --no-prompt --allow-read --allow-ffi=node_modules/zeromq --allow-run casparian.ts";

/** Runs a script whose Deno, a stand-in, prints what it was given and where it was started. */
async function given(script: string, folder: string, ...args: string[]): Promise<string[]> {
  const echo = `#!/bin/sh\nprintf '%s\\n' "$INIT_CWD" "$DENO_DIR" "\${CASPARIAN_UV:-}" "$@"\n`;
  await Deno.mkdir(join(folder, "bin"), { recursive: true });
  for (const path of [join(folder, "bin", "deno"), join(folder, "bin", "uv")]) {
    await Deno.writeTextFile(path, echo, { mode: 0o755 });
  }
  const { stdout, stderr } = await new Deno.Command(script, {
    args,
    cwd: "/usr",
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin" },
  }).output();
  const decoder = new TextDecoder();
  assert.equal(decoder.decode(stderr), "");
  return decoder.decode(stdout).trimEnd().split("\n");
}

async function withFolder(name: string, use: (folder: string) => Promise<void>): Promise<void> {
  const root = await Deno.realPath(await Deno.makeTempDir());
  const folder = join(root, name);
  await Deno.mkdir(folder);
  try {
    await use(folder);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("the installed launcher has the task's permissions, and quotes the project's path", () => {
  const script = installedLauncher("/it's", TASK, "2.9.6");
  assert.match(script, /^PROJECT='\/it'\\''s'$/m);
  assert.match(
    script,
    /^set -- run --no-prompt --allow-read --allow-ffi="\$FFI" --allow-run --config=/m,
  );
  assert.match(script, /npx -y deno@2\.9\.6/);
});

Deno.test("a bundle's launcher finds its own Deno, in any folder and through links", () =>
  withFolder("with 'odd' $names", async (folder) => {
    const launcher = join(folder, "casparian");
    await Deno.writeTextFile(launcher, portableLauncher(TASK), { mode: 0o755 });
    await Deno.symlink("casparian", join(folder, "relative"));
    await Deno.symlink(join(folder, "relative"), join(folder, "..", "absolute"));
    await Deno.writeTextFile(join(folder, "installed"), linkLauncher(folder), { mode: 0o755 });
    for (const start of ["casparian", "relative", "../absolute", "installed"]) {
      assert.deepEqual(await given(join(folder, start), folder, "jobs", "a b"), [
        "/usr",
        "/dev/null/deno",
        join(folder, "bin", "uv"),
        ...["run", "--no-prompt", "--allow-read", `--allow-ffi=${folder}/node_modules/zeromq`],
        `--allow-run=${folder}/bin/deno`,
        ...[`--config=${folder}/deno.json`, `${folder}/casparian.ts`, "jobs", "a b"],
      ], start);
    }
  }));

Deno.test("a folder with a comma grants more than it needs, as a flag's list splits there", () =>
  withFolder("a,b", async (folder) => {
    const launcher = join(folder, "casparian");
    await Deno.writeTextFile(launcher, portableLauncher(TASK), { mode: 0o755 });
    const flags = await given(launcher, folder);
    assert.deepEqual(flags.filter((flag) => /ffi|run$/.test(flag)), [
      ...["run", `--allow-ffi=${join(folder, "..")}`, "--allow-run"],
    ]);
  }));
