/** `casparian doctor`: what this machine lacks, and how to mend it. */
import type { Command } from "commander";
import { summaryOf } from "../protocol/commands.ts";
import { EXIT } from "../protocol/exit_codes.ts";
import type { CliIo } from "../protocol/ports.ts";

export interface DoctorOptions {
  readonly state: string;
  readonly output?: string;
  readonly listen?: string;
  readonly json?: boolean;
}

/** `mend` says what to do, and is left out where all is well. */
export interface Finding {
  readonly check: string;
  readonly verdict: "ok" | "warn" | "bad";
  readonly found: string;
  readonly mend?: string;
}

const EXAMPLES = `
Examples:
  casparian doctor
  casparian doctor --state /srv/casparian --listen tcp://127.0.0.1:5555 --json

Exit code 1 if anything is bad.`;

export function addDoctor(
  program: Command,
  io: CliIo,
  environment: Readonly<Record<string, string>>,
): void {
  program.command("doctor").description(summaryOf("doctor"))
    .option("--state <dir>", "the state folder to look at", ".casparian")
    .option("--output <dir>", "where tables would land (default: output in the state folder)")
    .option("--listen <address>", "the address that a sentinel would use")
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (options: DoctorOptions) => {
      const { examine } = await import("./doctor_checks.ts");
      const findings = await examine(options, io, environment);
      if (options.json) io.stdout(JSON.stringify({ findings }, null, 2));
      else findings.flatMap(findingLines).forEach((line) => io.stdout(line));
      if (findings.some(({ verdict }) => verdict === "bad")) io.exitCode = EXIT.error;
    });
}

function findingLines({ verdict, check, found, mend }: Finding): string[] {
  return [
    `${verdict.padEnd(4)}  ${check.padEnd(8)}  ${found}`,
    ...mend ? [`${" ".repeat(16)}→ ${mend}`] : [],
  ];
}
