import type { Command } from "commander";
import type { ControlClient, Result } from "../../protocol/control.ts";
import type { CliIo } from "../../protocol/ports.ts";
import { EXIT } from "../../protocol/exit_codes.ts";
import { printable } from "../terminal/printable.ts";
import { addClientCommand, type ClientOptions, rowId, withSentinel } from "./client.ts";
import { isTerminalState } from "./wait.ts";

type Lines = Result<"jobs.logs">["lines"];

interface LogsOptions extends ClientOptions {
  readonly follow?: boolean;
}

const LEVELS = ["stdout", "stderr", "debug", "info", "warning", "error"];
const FOLLOW_MS = 500;
const PAGE_LINES = 1000;

export function addLogs(program: Command, io: CliIo): void {
  addClientCommand(program, "logs", ["logs 12", "logs 12 --follow"])
    .argument("<id>", "the job's number", rowId)
    .option("-f, --follow", "go on until the job has finished")
    .action((id: number, options: LogsOptions) =>
      withSentinel(io, options, (client) => printLogs(client, io, id, options))
    );
}

async function printLogs(
  client: ControlClient,
  io: CliIo,
  id: number,
  options: LogsOptions,
): Promise<void> {
  for (let after = 0;;) {
    // Asked for before the lines: what a finished job printed is there by then.
    const { state } = await client.call("jobs.get", { job_id: id });
    after = await printNewLines(client, io, id, after, options);
    if (!options.follow || isTerminalState(state)) {
      if (options.follow && state === "FAILED") io.exitCode = EXIT.someFailed;
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
  }
}

/** @returns The id of the last line printed. */
async function printNewLines(
  client: ControlClient,
  io: CliIo,
  id: number,
  after: number,
  options: LogsOptions,
): Promise<number> {
  for (;;) {
    const page = after === 0 ? {} : { after };
    const { lines } = await client.call("jobs.logs", { job_id: id, limit: PAGE_LINES, ...page });
    for (const line of lines) io.stdout(options.json ? JSON.stringify(line) : logText(line));
    after = lines.at(-1)?.id ?? after;
    if (lines.length < PAGE_LINES) return after;
  }
}

function logText({ attempt, line: [atMs, level, text] }: Lines[number]): string {
  const when = new Date(atMs).toISOString().slice(11, 23);
  return `${when} #${attempt} ${(LEVELS[level] ?? "").padEnd(7)} ${printable(text.trimEnd())}`;
}
