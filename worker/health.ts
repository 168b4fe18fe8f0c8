/** `casparian health`: a probe for whoever keeps programs running, such as Kubernetes. */
import { Argument, type Command } from "commander";
import { join, resolve } from "node:path";
import { summaryOf } from "../protocol/commands.ts";
import { EXIT } from "../protocol/exit_codes.ts";
import {
  HEALTH_FOLDER,
  PROBED_PROGRAMS,
  type ProbedProgram,
  type Vitals,
  vitalsOf,
} from "../protocol/health.ts";
import type { CliIo } from "../protocol/ports.ts";

interface HealthOptions {
  readonly state: string;
  readonly ready?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  casparian health                                 sentinel and worker of ./.casparian
  casparian health worker --state /var/lib/casparian
  casparian health worker --ready                  it has a sentinel, and does not drain

It reads what each program writes into its state folder every few seconds, and asks nobody: a sentinel
on another host is asked with "casparian status --connect ADDRESS". Exit code 1 if one does not work.`;

export function addHealth(program: Command, io: CliIo): void {
  program.command("health").description(summaryOf("health"))
    .addArgument(
      new Argument("[program]", "only this one (default: those that were started here)")
        .choices(PROBED_PROGRAMS),
    )
    .option("--state <dir>", "the state folder of the programs", ".casparian")
    .option("--ready", "they must also be able to take work")
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action((program: ProbedProgram | undefined, options: HealthOptions) => {
      const vitals = look(resolve(io.cwd, options.state), program, io.nowMs());
      if (options.json) io.stdout(JSON.stringify({ programs: vitals }, null, 2));
      else vitals.forEach((each) => io.stdout(vitalsLine(each)));
      const well = ({ alive, ready }: Vitals) => options.ready ? ready : alive;
      if (!vitals.every(well)) io.exitCode = EXIT.error;
    });
}

/** Of one program, or of those that have left a file; of both where nothing has. */
function look(state: string, program: ProbedProgram | undefined, nowMs: number): Vitals[] {
  const seen = (program === undefined ? PROBED_PROGRAMS : [program]).map((name) => ({
    name,
    file: read(join(state, HEALTH_FOLDER, `${name}.json`)),
  }));
  const started = seen.filter(({ file }) => file !== null);
  return (started.length > 0 ? started : seen).map(({ name, file }) => vitalsOf(name, file, nowMs));
}

function read(path: string): { text: string; mtimeMs: number } | null {
  try {
    return {
      text: Deno.readTextFileSync(path),
      mtimeMs: Deno.statSync(path).mtime?.getTime() ?? 0,
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function vitalsLine({ program, alive, ready, because }: Vitals): string {
  const state = ready ? "works" : alive ? "works, but is not ready" : "does not work";
  return `${program} ${state}${because === null ? "" : `: ${because}`}`;
}
