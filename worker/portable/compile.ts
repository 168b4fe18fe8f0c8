/**
 * `casparian compile`: one file that is a worker, by `deno compile`, for a host without Deno.
 *
 * It unpacks itself beside itself when it first runs, as launch.sh, the shim and libzmq must be real files.
 * Permissions are fixed when it is made: what is known by then narrows them (see "compiled" in
 * security/permissions.ts), so a bundle is held tighter than this.
 */
import { isAbsolute, join, resolve } from "node:path";
import { CliError, UsageError } from "../../protocol/exit_codes.ts";
import type { CliIo } from "../../protocol/ports.ts";
import { compiledFlags, IN_PLACE } from "../../security/launch.ts";
import { readProgramOptions } from "../../security/program_options.ts";
import { bundleTree, PROJECT } from "./bundle_tree.ts";
import { removeAll, storeFiles } from "./bundle_writer.ts";

export interface CompileOptions {
  readonly to?: string;
  readonly target?: string;
  readonly json?: boolean;
}

const NAME = "casparian-worker";

/**
 * @param workerArgs The command line that the worker will always have.
 * @throws {CliError} If Deno cannot make it, in words of ours where we know why.
 */
export async function compile(
  workerArgs: readonly string[],
  options: CompileOptions,
  io: CliIo,
): Promise<void> {
  const relative = placesOf(workerArgs).filter((place) => !isAbsolute(place));
  if (relative.length > 0) {
    throw new UsageError(
      `Cannot compile with a relative path as nobody knows where it will run: got ${
        relative.join(", ")
      }`,
    );
  }
  const to = options.to === undefined ? join(PROJECT, "dist") : resolve(io.cwd, options.to);
  const output = join(to, NAME);
  const sources = `${output}.building`;
  try {
    await removeAll(sources);
    await storeFiles(bundleTree("worker", null, null), sources);
    await runCompiler(compileArguments(output, workerArgs, options.target), sources);
  } finally {
    await removeAll(sources);
  }
  if (options.json) return io.stdout(JSON.stringify({ output }));
  io.stdout(`made ${output}: copy it to a host with Python 3.10 or newer, and run it there`);
}

/** @param sources What a worker's bundle holds: no test comes along, and no package that is not needed. */
async function runCompiler(args: readonly string[], sources: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: sources,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new CliError(reasonOf(new TextDecoder().decode(stderr)));
}

function compileArguments(
  output: string,
  workerArgs: readonly string[],
  target: string | undefined,
): string[] {
  const { flags, args } = compiledFlags(workerArgs);
  return [
    // Types are checked where the tests are, which have the packages' declarations.
    ...["compile", "--quiet", "--no-check", "--self-extracting", "--output", output, ...flags],
    ...target === undefined ? [] : ["--target", target],
    ...["--include", "shim", "--include", "worker"],
    ...["casparian.ts", IN_PLACE, "worker", ...args],
  ];
}

function placesOf(args: readonly string[]): string[] {
  const options = readProgramOptions(args);
  const maps = options.all("map").map((map) => map.slice(map.indexOf("=") + 1));
  return [...options.all("state"), ...options.all("output"), ...maps];
}

/** @param said What `deno compile` wrote. */
function reasonOf(said: string): string {
  const lines = said.trim().split("\n").map((line) => line.trim());
  if (/denort|base binary/.test(said)) {
    const why = lines.findLast((line) => /^\d+: (?!<unknown>)/.test(line))?.replace(/^\d+: /, "");
    return `Cannot compile as the runtime to embed (denort) must be downloaded, and could not be` +
      `${
        why ? `: ${why}` : ""
      }. Run this where Deno's downloads can be reached, or name a denort of ` +
      `version ${Deno.version.deno} in DENORT_BIN, or make a bundle: deno task bundle --only worker`;
  }
  return `Cannot compile: ${
    lines.find((line) => line !== "")?.replace(/^error: /, "") ?? "Deno gave no reason"
  }`;
}
