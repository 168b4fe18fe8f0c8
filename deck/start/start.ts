/**
 * `casparian start`: a sentinel and a worker on this machine, plugins published, progress shown.
 *
 *     state folder taken ─► sentinel ready ─► worker started ─► plugins published ─► watching ─► stopped
 *
 * Ctrl-C, SIGTERM, a program that keeps dying or, with --once, an idle sentinel ends it from any of
 * these; whatever ends it, the programs are stopped in order. A second Ctrl-C kills them.
 */
import { EXIT } from "../../protocol/exit_codes.ts";
import type { CliIo, StopSignal } from "../../protocol/ports.ts";
import { ProgressLine } from "../terminal/progress.ts";
import { Programs } from "./programs.ts";
import { publishAll } from "./publish_all.ts";
import type { StartOptions } from "./start_command.ts";
import { planStart, type StartPlan } from "./start_plan.ts";
import { takeStateFolder } from "./state_folder.ts";
import { watch } from "./watch.ts";

/** @throws {CliError} With what made it impossible; the programs have ended by then. */
export async function start(io: CliIo, options: StartOptions): Promise<void> {
  const plan = await planStart(options, io.cwd);
  using _taken = await takeStateFolder(plan.state);
  const progress = new ProgressLine(io);
  const programs = new Programs(plan, io.cwd, progress);
  const interrupt = interruptOf(io, progress, programs);
  const work = run(io, options, plan, programs, progress);
  try {
    const signal = await Promise.race([work, programs.failed, interrupt.first]);
    if (signal) io.exitCode = signal === "SIGINT" ? EXIT.interrupted : EXIT.ok;
  } finally {
    work.catch(() => {}); // what it meets now is that the programs end
    progress.clear();
    await programs.stop();
    interrupt.dispose();
  }
}

async function run(
  io: CliIo,
  options: StartOptions,
  plan: StartPlan,
  programs: Programs,
  progress: ProgressLine,
): Promise<void> {
  progress.show("starting");
  const { client, info } = await programs.startSentinel();
  let workers = 0;
  programs.startWorker(info.address, () => workers > 0);
  const refused = await publishAll(client, plan.plugins, progress);
  await watch(io, options, plan, client, progress, (status) => workers ||= status.workers);
  if (refused > 0 && io.exitCode === EXIT.ok) io.exitCode = EXIT.error;
}

function interruptOf(
  io: CliIo,
  progress: ProgressLine,
  programs: Programs,
): { first: Promise<StopSignal>; dispose: () => void } {
  const first = Promise.withResolvers<StopSignal>();
  let signals = 0;
  const dispose = io.onInterrupt((signal) => {
    if (++signals > 1) return programs.kill();
    progress.above(["stopping: what runs is finished first; Ctrl-C again kills it"]);
    first.resolve(signal);
  });
  return { first: first.promise, dispose };
}
