/** `casparian sentinel`: builds the real parts, runs until it is asked to stop. */
import { join } from "node:path";
import { CliError, EXIT } from "../protocol/exit_codes.ts";
import type { MessageOf } from "../protocol/messages.ts";
import type { CliIo, Clock, Logger } from "../protocol/ports.ts";
import { RELEASE } from "../protocol/release.ts";
import { HealthFile, type SignOfLife } from "../security/health_file.ts";
import { type SentinelConfig, sentinelConfig, type SentinelOptions } from "./config.ts";
import { Control } from "./control.ts";
import { Cluster } from "./core/cluster.ts";
import type { Peer } from "./core/step.ts";
import { Intake } from "./intake.ts";
import { Loop } from "./loop.ts";
import { Reader } from "./reader.ts";
import { Registry, sha256 } from "./registry.ts";
import { Roots } from "./roots.ts";
import { Scanner } from "./scanner/scanner.ts";
import {
  clearSockets,
  openStateFolder,
  removeIfThere,
  type SentinelFile,
  writeJson,
} from "./state_folder.ts";
import { systemStatus } from "./status.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import { Wire } from "./wire.ts";

export interface Surroundings {
  io: CliIo;
  clock: Clock;
  logger: Logger;
  /** A number in [0, 1) for each call. */
  jitter(): number;
}

/**
 * @returns The exit code, once everything is stopped.
 * @throws {CliError} If the options are wrong, the state is held by another, the store or an address
 * cannot be used: the message says what to do.
 */
export async function runSentinel(options: SentinelOptions, around: Surroundings): Promise<number> {
  const { io, logger } = around;
  const config = sentinelConfig(options, io.cwd, privateFolder);
  if (config.warning) logger.log("warning", config.warning);
  const lock = openStateFolder(config.stateDir);
  const cleanups: (() => Promise<void> | void)[] = [() => lock.close()];
  try {
    const stopped = Promise.withResolvers<void>();
    const stop = () => stopped.resolve();
    cleanups.push(io.onInterrupt(stop));
    if (config.exitWithStdin) void stdinEnds().then(stop);
    const sentinel = await build(config, around, cleanups, stopped.reject);
    logger.log("info", `The sentinel listens at ${sentinel.address}`, { version: RELEASE });
    await stopped.promise;
    return EXIT.ok;
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

/** The parts, put together and started; `cleanups` ends them, the last one first. */
async function build(
  config: SentinelConfig,
  { clock, logger, jitter }: Surroundings,
  cleanups: (() => Promise<void> | void)[],
  fail: (error: Error) => void,
): Promise<SentinelFile> {
  const nowMs = () => clock.nowMs();
  const store = openSqliteStore(config.databasePath, nowMs);
  cleanups.push(() => store.close());
  const wire = openWire(config, clock);
  cleanups.push(() => wire.close());
  const reader = new Reader(config.databasePath);
  cleanups.push(() => reader.stop());

  const cluster = new Cluster(jitter, sha256);
  const intake = new Intake(store, clock, (pluginIds) => loop.jobsQueued(pluginIds));
  const scanner = new Scanner({
    databasePath: config.databasePath,
    excludedFolders: config.excludedFolders,
    onObservations: (observations) => intake.observed(observations),
    onScanned: (summary) => roots.scanned(summary),
    onUnwatched: (rootId, message) => logger.log("info", message, { root: rootId }),
    onFailure: fail,
  });
  const roots = new Roots({
    store,
    scanner,
    clock,
    logger,
    mayRead: (path) => Deno.permissions.querySync({ name: "read", path }).state === "granted",
    // The launcher grants these to the next start; a store that it cannot read tells it nothing.
    onChanged: (rows) =>
      writeJson(
        join(config.stateDir, "roots.json"),
        rows.map(({ name, directory }) => ({ name, directory })),
      ),
  });
  const control: Control = new Control({
    store,
    reader,
    cluster,
    roots,
    nowMs,
    registry: new Registry(store, clock),
    loop: () => loop,
    info: () => ({ ...file, version: RELEASE, database: `sqlite://${config.databasePath}` }),
    status: () => systemStatus({ store, cluster, intake, loop, roots, nowMs }),
  });
  const loop: Loop = new Loop({
    store,
    wire,
    cluster,
    intake,
    clock,
    logger,
    onFailure: fail,
    onRescan: (filePath) => roots.rescan(filePath),
    onClient: (peer, message) => answerClient(control, wire, loop, peer, message),
  });
  const file: SentinelFile = {
    address: wire.address,
    events_address: wire.eventsAddress,
    pid: Deno.pid,
    started_at_ms: nowMs(),
  };
  await loop.start();
  cleanups.push(() => loop.stop());
  scanner.start();
  cleanups.push(() => scanner.stop());
  await roots.start();
  cleanups.push(() => roots.stop());
  for (const root of config.roots) await roots.add(root);
  const health = new HealthFile(config.stateDir, "sentinel", () => signOfLife(loop, nowMs()));
  cleanups.push(() => health.stop());
  const path = join(config.stateDir, "sentinel.json");
  writeJson(path, file);
  cleanups.push(() => removeIfThere(path));
  return file;
}

/** A loop that waits for its store stands still for a reason, and goes on by itself. */
function signOfLife({ storeProblem, turnedAtMs }: Loop, nowMs: number): SignOfLife {
  if (storeProblem === null) return { atMs: turnedAtMs, ready: true, because: null };
  return { atMs: nowMs, ready: false, because: `its store cannot be written: ${storeProblem}` };
}

async function answerClient(
  control: Control,
  wire: Wire,
  loop: Loop,
  peer: Peer,
  message: MessageOf<"call"> | MessageOf<"deploy">,
): Promise<void> {
  if (message.name === "deploy") {
    const ack = await control.parts.registry.deploy(message.body);
    wire.send(peer, "ack", 0, ack);
    return loop.pluginsChanged();
  }
  const answered = control.answer(message.body).then((reply) => {
    if (!wire.closed) wire.send(peer, "reply", 0, reply);
  });
  if (!control.isSlow(message.body.method)) await answered;
}

function openWire(config: SentinelConfig, clock: Clock): Wire {
  try {
    clearSockets([config.address, config.eventsAddress]);
    return new Wire(config.address, config.eventsAddress, clock);
  } catch (cause) {
    const { message } = cause as Error;
    throw new CliError(
      `Cannot listen at ${config.address}: ${message}. Stop what uses it, or give another --listen`,
      EXIT.error,
      { cause },
    );
  }
}

function privateFolder(): string {
  return Deno.makeTempDirSync({ prefix: "casparian-" });
}

async function stdinEnds(): Promise<void> {
  const buffer = new Uint8Array(64);
  while (await Deno.stdin.read(buffer) !== null);
}
