import type { Command } from "commander";
import type { ControlClient, Result } from "../../protocol/control.ts";
import { CliError, EXIT } from "../../protocol/exit_codes.ts";
import type { CliIo } from "../../protocol/ports.ts";
import type { JobState } from "../../protocol/records.ts";
import { printable } from "../terminal/printable.ts";
import { ProgressLine, statusText } from "../terminal/progress.ts";
import { heldLines } from "../terminal/summary.ts";
import {
  addClientCommand,
  type ClientOptions,
  print,
  rowIds,
  wholeNumber,
  withSentinel,
} from "./client.ts";
import { jobTable } from "./jobs.ts";

interface WaitOptions extends ClientOptions {
  readonly timeout?: number;
}

const POLL_MS = 250;
const TIMEOUT_S_MAX = 30 * 24 * 3600;

export function isTerminalState(state: JobState): boolean {
  return state !== "QUEUED" && state !== "RUNNING";
}

export function addWait(program: Command, io: CliIo): void {
  addClientCommand(program, "wait", ["wait", "wait 12 13 --timeout 60"])
    .argument("[ids...]", "only these jobs; without any: until nothing is left to do", rowIds)
    .option("--timeout <seconds>", "give up after so long", wholeNumber(1, TIMEOUT_S_MAX))
    .action((ids: number[], options: WaitOptions) =>
      withSentinel(
        io,
        options,
        (client) =>
          ids.length > 0 ? waitForJobs(client, io, ids, options) : waitForIdle(client, io, options),
      )
    );
}

async function waitForJobs(
  client: ControlClient,
  io: CliIo,
  ids: readonly number[],
  options: WaitOptions,
): Promise<void> {
  let jobs: Result<"jobs.get">[] = [];
  await untilTrue(options, async () => {
    jobs = await Promise.all(ids.map((job_id) => client.call("jobs.get", { job_id })));
    return jobs.every(({ state, held }) => held || isTerminalState(state));
  });
  const held = jobs.filter((job) => job.held);
  print(io, options, { jobs }, () => [
    ...jobTable(io, jobs),
    ...held.map(({ id, waiting_because }) => `job ${id} is held: ${printable(waiting_because!)}`),
  ]);
  if (held.length > 0 || jobs.some(({ state }) => state === "FAILED")) {
    io.exitCode = EXIT.someFailed;
  }
}

async function waitForIdle(client: ControlClient, io: CliIo, options: WaitOptions): Promise<void> {
  const progress = new ProgressLine(io);
  let status = await client.call("system.status", {});
  await untilTrue(options, async () => {
    status = await client.call("system.status", {});
    progress.show(statusText(status));
    return status.idle;
  }).finally(() => progress.clear());
  print(io, options, status, () => [statusText(status), ...heldLines(status)]);
  if (status.jobs.FAILED > 0 || status.held.length > 0) io.exitCode = EXIT.someFailed;
}

async function untilTrue(options: WaitOptions, test: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + (options.timeout ?? Infinity) * 1000;
  while (!await test()) {
    if (performance.now() >= endMs) {
      throw new CliError(`Not finished within ${options.timeout} s: see casparian status`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
