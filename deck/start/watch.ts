/** Shows what goes on until nothing is left to do, and then what came of it. */
import type { ControlClient } from "../../protocol/control.ts";
import { EXIT } from "../../protocol/exit_codes.ts";
import type { CliIo } from "../../protocol/ports.ts";
import { type ProgressLine, type Status, statusText } from "../terminal/progress.ts";
import { FAILED_LINES_MAX, summaryLines } from "../terminal/summary.ts";
import type { StartOptions } from "./start_command.ts";
import type { StartPlan } from "./start_plan.ts";

/** Somebody looks, or waits for the end: often enough to feel live, seldom enough to cost nothing. */
const BUSY_MS = 250;
const IDLE_MS = 1000;
const UNSEEN_MS = 2000;

/** With --once returns when idle, else never. */
export async function watch(
  io: CliIo,
  options: StartOptions,
  plan: StartPlan,
  client: ControlClient,
  progress: ProgressLine,
  onStatus: (status: Status) => void,
): Promise<void> {
  for (let told = false;;) {
    const status = await statusOrNull(client, progress);
    if (status) {
      onStatus(status);
      progress.show(statusText(status));
      if (status.idle && !told) {
        await tellSummary(io, options, client, progress, withFolders(status, plan.output));
        if (options.once) return setExitCode(io, status);
        tellWatching(io, options, plan, progress);
        told = true;
      }
    }
    const seen = io.isTerminal || options.once;
    await delay(!seen ? UNSEEN_MS : status?.idle ? IDLE_MS : BUSY_MS);
  }
}

/** A sentinel that is being started again answers later; what is wrong for good, its supervisor tells. */
async function statusOrNull(client: ControlClient, progress: ProgressLine): Promise<Status | null> {
  try {
    return await client.call("system.status", {});
  } catch {
    progress.show("waiting for the sentinel");
    return null;
  }
}

async function tellSummary(
  io: CliIo,
  options: StartOptions,
  client: ControlClient,
  progress: ProgressLine,
  status: Status,
): Promise<void> {
  const { jobs } = await client.call("jobs.list", {
    filter: { state: ["FAILED"] },
    limit: FAILED_LINES_MAX,
  });
  const { files } = await client.call("files.list", { only: "problems", limit: FAILED_LINES_MAX });
  const lines = options.json
    ? [JSON.stringify({ status, failed: jobs, problems: files })]
    : ["", ...summaryLines(status, jobs, files, io.columns)];
  progress.above(lines, io.stdout.bind(io));
}

/** The one worker is ours, so we know where `parquet://output/` is. */
function withFolders(status: Status, output: string): Status {
  const topics = status.topics.map((topic) => ({
    ...topic,
    uri: topic.uri.replace(/^parquet:\/\/output(?=\/)/, output),
  }));
  return { ...status, topics };
}

function setExitCode(io: CliIo, status: Status): void {
  const { jobs, file_problems, held } = status;
  if (jobs.FAILED > 0 || file_problems > 0 || held.length > 0) io.exitCode = EXIT.someFailed;
}

function tellWatching(
  io: CliIo,
  options: StartOptions,
  plan: StartPlan,
  progress: ProgressLine,
): void {
  if (options.json) return;
  const where = plan.roots.length > 0 ? plan.roots.join(", ") : "the stored roots";
  progress.above(["", `watching ${where} for new files; Ctrl-C stops`], io.stdout.bind(io));
}

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
