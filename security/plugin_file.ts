/** A plugin's file as it is published or tried out: its source, and the dependencies that lie beside it. */
import { basename, dirname, join } from "node:path";
import type { Params } from "../protocol/control.ts";
import { CliError } from "../protocol/exit_codes.ts";
import { pyprojectRequirements, requirementLines } from "./requirements.ts";

export type PluginFile = Params<"plugins.publish">;

const SCRIPT_BLOCK = /^# \/\/\/ script\s*$/m;

/**
 * @param path Of the Python file, absolute.
 * @throws {CliError} If it, or what lies beside it, cannot be read.
 */
export async function readPluginFile(path: string): Promise<PluginFile> {
  const source_code = await readText(path);
  if (source_code === null) {
    throw new CliError(`Cannot read the plugin ${path} as there is no such file`);
  }
  const plugin = { source_code, file_name: basename(path) };
  // A block in the file itself says everything: what lies beside it belongs to something else.
  return SCRIPT_BLOCK.test(source_code)
    ? plugin
    : { ...plugin, ...await readDependencies(dirname(path)) };
}

/** What says most comes first: exact versions, then a list, then a project's. */
async function readDependencies(folder: string): Promise<Partial<PluginFile>> {
  const lockfile_content = await readText(join(folder, "uv.lock"));
  if (lockfile_content !== null) return { lockfile_content };
  const requirements = await readText(join(folder, "requirements.txt"));
  if (requirements !== null) return { requirements: requirementLines(requirements) };
  const pyproject = await readText(join(folder, "pyproject.toml"));
  return pyproject === null ? {} : pyprojectRequirements(pyproject);
}

async function readText(path: string): Promise<string | null> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await Deno.readFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    const reason = error instanceof TypeError ? "it is not UTF-8" : (error as Error).message;
    throw new CliError(`Cannot read ${path} as ${reason}`);
  }
}
