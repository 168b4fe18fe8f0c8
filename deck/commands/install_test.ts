import assert from "node:assert/strict";
import { join } from "node:path";
import type { CliIo } from "../../protocol/ports.ts";
import { Command } from "commander";
import { addInstall } from "./install.ts";

async function install(io: Partial<CliIo>, ...args: string[]): Promise<string[]> {
  const lines: string[] = [];
  const program = new Command().exitOverride();
  addInstall(program, { stdout: (line: string) => lines.push(line), ...io } as CliIo);
  await program.parseAsync(["install", ...args], { from: "user" });
  return lines;
}

Deno.test("install puts a launcher where it is told, and says when that is not on the PATH", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const io = { cwd: folder, env: () => `/usr/bin:${join(folder, "on")}` };
    assert.match((await install(io, "--to", "off")).join("\n"), /not on your PATH.*export PATH=/);
    assert.match((await install(io, "--to", "on")).join("\n"), /try: casparian --help/);
    await install(io, "--to", "on"); // again, over its own
    assert.equal((await Deno.stat(join(folder, "on", "casparian"))).mode! & 0o777, 0o755);

    await Deno.writeTextFile(join(folder, "casparian"), "#!/bin/sh\n");
    await assert.rejects(install(io, "--to", "."), /another program of that name/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
