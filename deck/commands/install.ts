import type { Command } from "commander";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import denoJson from "../../deno.json" with { type: "json" };
import { CliError } from "../../protocol/exit_codes.ts";
import type { CliIo } from "../../protocol/ports.ts";
import { installedLauncher, linkLauncher, SIGNATURE } from "../../security/launcher_script.ts";
import { addCommand, print } from "./client.ts";

interface InstallOptions {
  readonly to?: string;
  readonly json?: boolean;
}

const PROJECT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

export function addInstall(program: Command, io: CliIo): void {
  addCommand(program, "install", ["install", "install --to /usr/local/bin"])
    .option("--to <dir>", "where it goes (default: ~/.local/bin)")
    .option("--json", "print JSON")
    .action((options: InstallOptions) => install(io, options));
}

async function install(io: CliIo, options: InstallOptions): Promise<void> {
  const folder = resolve(io.cwd, options.to ?? join(homeOf(io), ".local", "bin"));
  const path = join(folder, "casparian");
  await refuseForeign(path);
  try {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(path, await launcher());
    await Deno.chmod(path, 0o755);
  } catch (error) {
    throw new CliError(
      `Cannot write ${path}: ${(error as Error).message}. Name another folder with --to`,
    );
  }
  const onPath = (io.env("PATH") ?? "").split(":").includes(folder);
  print(io, options, { path, on_path: onPath }, () => [
    `installed ${path}`,
    onPath
      ? "try: casparian --help"
      : `${folder} is not on your PATH yet: export PATH="${folder}:$PATH"`,
  ]);
}

/** A bundle has a launcher of its own, which knows its Deno. */
async function launcher(): Promise<string> {
  const own = await Deno.stat(join(PROJECT, "casparian")).catch(() => null);
  if (own?.isFile) return linkLauncher(PROJECT);
  return installedLauncher(PROJECT, denoJson.tasks.casparian, Deno.version.deno);
}

/** Another program of that name is not ours to replace. */
async function refuseForeign(path: string): Promise<void> {
  const text = await Deno.readTextFile(path).catch(() => null);
  if (text === null || text.includes(SIGNATURE)) return;
  throw new CliError(
    `Cannot install ${path} as another program of that name is there: remove it, or use --to`,
  );
}

function homeOf(io: CliIo): string {
  const home = io.env("HOME");
  if (home) return home;
  throw new CliError("Cannot tell where your programs are as HOME is not set: name it with --to");
}
