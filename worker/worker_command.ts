/** `casparian worker`: builds the real parts, runs until it is asked to stop, leaves nothing behind. */
import { CliError, EXIT } from "../protocol/exit_codes.ts";
import type { CliIo, Clock, Logger, Random } from "../protocol/ports.ts";
import { RELEASE } from "../protocol/release.ts";
import { ZmqContext } from "../protocol/zeromq.ts";
import { HealthFile, type SignOfLife } from "../security/health_file.ts";
import { GRADES, readWorkerConfig, type WorkerConfig } from "./config.ts";
import { Environments } from "./environments.ts";
import { hostMemoryBytes, memoryShareBytes } from "./host_memory.ts";
import { Landing } from "./landing.ts";
import { WorkerLoop } from "./loop.ts";
import { prepareGroups } from "./memory_groups.ts";
import { Preparations } from "./preparations.ts";
import { bytesText } from "./quantities.ts";
import { RunFolder } from "./run_folder.ts";
import { probeSandbox, type Sandbox } from "./sandbox.ts";
import { Session } from "./session.ts";
import { SinkSet } from "./sink_set.ts";
import { ParquetSink } from "./sinks/parquet.ts";
import { sandboxedLaunch } from "./template_launch.ts";
import { Templates } from "./templates.ts";
import { Wire } from "./wire.ts";

export interface Surroundings {
  readonly io: CliIo;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Names this start of the program: 8 hex digits, never given twice. */
  readonly startId: string;
  /** What uv, pip and Python are to see. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * @param options As commander gives them.
 * @returns The exit code, once everything is stopped.
 * @throws {CliError} If the options are wrong, no sentinel is known or the sandbox is too weak.
 */
export async function runWorker(options: unknown, around: Surroundings): Promise<number> {
  const { io, clock, logger, startId } = around;
  const config = readWorkerConfig(options, {
    cwd: io.cwd,
    cores: navigator.hardwareConcurrency,
    startId,
    readText: Deno.readTextFileSync,
  });
  if (config.warning) logger.log("warning", config.warning);
  const sandbox = await probeSandbox();
  checkGrade(sandbox, config);
  const memoryBytes = memoryShareBytes(await hostMemoryBytes(), config.slots);
  const groups = await prepareGroups();
  logger.log(
    "info",
    groups.missing === undefined
      ? `Memory limits are held by the kernel, in control groups below ${groups.directory}`
      : `Memory is sampled every 50 ms, as there are no control groups: ${groups.missing}`,
  );
  const cleanups: (() => Promise<void>)[] = [];
  try {
    const folder = await RunFolder.open(config.runDir, logger);
    cleanups.push(() => folder.close());
    const loop = await build(
      config,
      sandbox,
      { memoryBytes, groupsDir: groups.directory },
      around,
      cleanups,
    );
    const off = io.onInterrupt(stopper(loop, config, logger));
    cleanups.push(() => Promise.resolve(off()));
    if (config.exitWithStdin) void stdinEnds().then(() => loop.drain(0));
    loop.start();
    const health = new HealthFile(config.stateDir, "worker", () => signOfLife(loop, clock));
    cleanups.push(() => Promise.resolve(health.stop()));
    logger.log("info", greeting(config, sandbox, memoryBytes));
    await loop.finished;
    return EXIT.ok;
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

/** The parts, put together; what they hold is given back by `cleanups`, the last one first. */
async function build(
  config: WorkerConfig,
  sandbox: Sandbox,
  { memoryBytes, groupsDir }: { memoryBytes: number; groupsDir: string | undefined },
  around: Surroundings,
  cleanups: (() => Promise<void>)[],
): Promise<WorkerLoop> {
  const { clock, logger, random, startId, environment } = around;
  const { folders, stateDir, slots } = config;
  const environments = new Environments({ stateDir, environment, nowMs: () => clock.nowMs() });
  await environments.sweep((line) => logger.log("warning", line));
  const preparations = new Preparations(environments, logger);
  const sinks = new SinkSet(
    folders,
    startId,
    (directory) => new ParquetSink({ directory, startId, threadsMax: Math.max(2, slots) }),
  );
  cleanups.push(() => sinks.stop());
  sinks.start();
  const plugins = new Templates({
    launch: sandboxedLaunch(sandbox, stateDir, (path) => preparations.foldersOf(path), groupsDir),
    folder: config.runDir,
  });
  cleanups.push(() => plugins.stop());
  const context = new ZmqContext();
  cleanups.push(() => context.close());
  const host = Deno.hostname();
  const identity = {
    worker_id: `${host}-${startId}`,
    slots,
    host,
    version: RELEASE,
    sandbox: JSON.stringify({ grade: sandbox.grade, missing: sandbox.missing }),
  };
  return new WorkerLoop({
    clock,
    logger,
    session: new Session({ identity, slots, environments: [], random }, clock.nowMs()),
    connect: (events) => new Wire(context, config.address, events),
    jobs: { plugins, sinks, folders, clock, memoryBytes },
    landing: new Landing(sinks, folders, logger),
    preparations,
    warm: () => preparations.hashesOf(plugins.warmInterpreters()),
  });
}

/** Nothing here waits, so a worker works as long as its timers do. */
function signOfLife({ unready }: WorkerLoop, clock: Clock): SignOfLife {
  return { atMs: clock.nowMs(), ready: unready === null, because: unready };
}

/** Its parent is gone: nobody is left to want its work. */
async function stdinEnds(): Promise<void> {
  const buffer = new Uint8Array(64);
  while (await Deno.stdin.read(buffer) !== null);
}

function checkGrade({ grade, missing }: Sandbox, { sandboxMin }: WorkerConfig): void {
  if (GRADES.indexOf(grade) <= GRADES.indexOf(sandboxMin)) return;
  throw new CliError(
    `Cannot run plugins as the sandbox must be of grade ${sandboxMin} or better: this host gives ` +
      `${grade} (${missing.join("; ")}). Mend that, or allow it with --sandbox ${grade}`,
  );
}

/** The first signal lets running jobs end, the second one ends them. */
function stopper(loop: WorkerLoop, { drainLimitMs }: WorkerConfig, logger: Logger): () => void {
  let asked = 0;
  return () => {
    const limitMs = asked++ === 0 ? drainLimitMs : 0;
    logger.log("info", limitMs > 0 ? "Stopping after the running jobs" : "Stopping at once");
    loop.drain(limitMs);
  };
}

function greeting(
  { address, slots, folders }: WorkerConfig,
  { grade }: Sandbox,
  memoryBytes: number,
): string {
  const many = `${slots} ${slots === 1 ? "job" : "jobs"} at a time`;
  const jobs = `${many}, each with ${bytesText(memoryBytes)} unless its plugin says otherwise`;
  return `Worker for ${address}: ${jobs}, sandbox grade ${grade}, output in ${folders.output}`;
}
