/**
 * The shell around the core: one turn takes all that waits, lets the core decide, commits all changes
 * in one transaction and only then sends. So nothing leaves that is not durable, and throughput does
 * not hang on one fsync a job.
 *
 * A turn is never cut short: what it claimed is sent or given back within it. It sleeps until a
 * message comes, work is signalled, or the core's next deadline. While the store refuses to commit, the
 * same changes are tried again and nothing else happens: messages wait in the socket, nothing is lost.
 */
import type { MessageOf } from "../protocol/messages.ts";
import type { Clock, Logger } from "../protocol/ports.ts";
import { Cluster, HEARTBEAT_MS, LEASE_MS } from "./core/cluster.ts";
import type { RootLimit } from "./core/lanes.ts";
import { activePlugin } from "./core/plugin.ts";
import { type Effect, effectsOf, type Peer, type Step, step } from "./core/step.ts";
import { dispatchJson } from "./dispatch.ts";
import type { Intake } from "./intake.ts";
import type { Outcome, RootRow, Store } from "./store/store.ts";
import { Wakeup } from "./wakeup.ts";
import type { Received, Wire } from "./wire.ts";

/** Messages of one turn: bounds the transaction, and how long a turn keeps others waiting. */
const MESSAGES_MAX = 512;
/** While messages never cease leases are still looked at this often. */
const TICK_LATEST_MS = 4000;
const STORE_RETRY_MS = 1000;
/** Turns that commit begin this far apart at least, so that one fsync serves what comes meanwhile. */
const TURN_MS_MIN = 10;

export interface LoopParts {
  store: Store;
  wire: Wire;
  cluster: Cluster;
  intake: Intake;
  clock: Clock;
  logger: Logger;
  /** Takes what no worker sends: CALL and DEPLOY. Resolves when the answer needs the loop no more. */
  onClient(peer: Peer, message: MessageOf<"call"> | MessageOf<"deploy">): Promise<void>;
  /**
   * The loop has ended, as what it had decided could be neither stored nor taken back: a restart reads
   * the store again, and workers say again what was not answered.
   */
  onFailure?(error: Error): void;
  /** A worker found a file changed: look at it soon. */
  onRescan(filePath: string): void;
}

export class Loop {
  /** What the store said when it last refused to commit; null while it works. */
  storeProblem: string | null = null;
  /** When the last turn began, in milliseconds since the Unix epoch; one comes every HEARTBEAT_MS at least. */
  turnedAtMs = 0;
  readonly #wakeup = new Wakeup();
  readonly #clients: { peer: Peer; message: MessageOf<"call"> | MessageOf<"deploy"> }[] = [];
  #pluginsChanged = true;
  #extraSteps: Step[] = [];
  #tickedAtMs = 0;
  #wakeAtMs: number | null = null;
  #committed = false;
  #stopping = false;
  #done: Promise<void> = Promise.resolve();

  constructor(readonly parts: LoopParts) {}

  /** Reads the store and begins; resolves when the first turn may take messages. */
  async start(): Promise<void> {
    const { store, cluster, clock } = this.parts;
    await this.#reloadPlugins();
    cluster.restore(await store.runningJobs(), clock.nowMs(), await store.drainingWorkers());
    this.#wakeAtMs = await store.nextWakeMs();
    this.#done = this.#run().catch((error) => this.parts.onFailure?.(error));
  }

  /** Resolves after the turn that runs now. Safe to call twice. */
  stop(): Promise<void> {
    this.#stopping = true;
    this.#wakeup.signal();
    return this.#done;
  }

  /** There is new work: jobs queued, a file to take in, a plugin published. */
  signal(): void {
    this.#wakeup.signal();
  }

  /** Plugins, rules, topics or limits changed in the store: they are read again before the next turn. */
  pluginsChanged(): void {
    this.#pluginsChanged = true;
    this.#wakeup.signal();
  }

  jobsQueued(pluginIds: readonly number[]): void {
    for (const pluginId of pluginIds) this.parts.cluster.lanes.refresh(pluginId);
    if (pluginIds.length > 0) this.#wakeup.signal();
  }

  /** Decisions made outside of a message: they join the next turn's transaction. */
  perform(steps: readonly Step[]): void {
    this.#extraSteps.push(...steps);
    this.#wakeup.signal();
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const startedMs = this.parts.clock.nowMs();
      this.turnedAtMs = startedMs;
      this.#committed = false;
      const busy = await this.#turn();
      if (this.#stopping) return;
      if (this.#committed && !busy) await this.#gather(startedMs);
      await this.#wakeup.wait(busy ? 0 : this.#sleepMs(), this.parts.wire.readable());
    }
  }

  /** The first message after a pause is taken at once; what follows on its heels is taken together. */
  async #gather(startedMs: number): Promise<void> {
    const restMs = startedMs + TURN_MS_MIN - this.parts.clock.nowMs();
    if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
  }

  /** @returns Whether there is more to do at once. */
  async #turn(): Promise<boolean> {
    const { wire, cluster, clock } = this.parts;
    if (this.#pluginsChanged) await this.#reloadPlugins();
    const nowMs = clock.nowMs();
    const received = wire.receive(MESSAGES_MAX);
    const steps = this.#extraSteps.splice(0);
    for (const one of received) steps.push(...this.#take(one, nowMs));
    steps.push(...this.#passTime(received.length < MESSAGES_MAX, nowMs));
    await this.#fillLanes();
    steps.push(...cluster.plan(nowMs));
    const outcomes = await this.#commit(steps);
    for (const effect of effectsOf(steps, outcomes)) await this.#perform(effect);
    for (const { peer, message } of this.#clients.splice(0)) {
      await this.parts.onClient(peer, message);
    }
    return await this.#backfill() || received.length === MESSAGES_MAX || this.#pluginsChanged;
  }

  /** A chunk of files for new plugin versions; a store that refuses is asked again by a later turn. */
  async #backfill(): Promise<boolean> {
    try {
      return await this.parts.intake.backfill();
    } catch (error) {
      await this.#storeFailed(error as Error);
      return true;
    }
  }

  #take({ peer, message }: Received, nowMs: number): Step[] {
    if (message.name === "call" || message.name === "deploy") {
      const promoted = message.name === "call" ? this.#promoted(peer, message, nowMs) : null;
      if (promoted) return [promoted];
      this.#clients.push({ peer, message });
      return [];
    }
    return this.parts.cluster.onMessage(peer, message, nowMs);
  }

  /** The one call that comes with every job: it shares the turn's transaction. */
  #promoted(peer: Peer, { body }: MessageOf<"call">, nowMs: number): Step | null {
    if (body.method !== "outputs.promoted") return null;
    const { outputs } = (body.params ?? {}) as { outputs?: unknown };
    if (!Array.isArray(outputs)) return null;
    const named = outputs.filter((output) =>
      Number.isSafeInteger(output?.job_id) && typeof output?.uri === "string"
    );
    return step({ type: "promoted", outputs: named, nowMs }, ({ retired = [] }) => {
      const result = { ok: true, ...(retired.length > 0 ? { retired } : {}) };
      return [{ type: "send", peer, name: "reply", jobId: 0, body: { id: body.id, result } }];
    });
  }

  /** Leases are judged only after the socket was drained: after a stall of ours, heartbeats wait in it. */
  #passTime(drained: boolean, nowMs: number): Step[] {
    const { cluster } = this.parts;
    const steps: Step[] = [];
    if (drained || nowMs - this.#tickedAtMs > TICK_LATEST_MS) {
      this.#tickedAtMs = nowMs;
      steps.push(...cluster.tick(nowMs));
    }
    if (this.#wakeAtMs !== null && this.#wakeAtMs <= nowMs) {
      this.#wakeAtMs = null;
      steps.push(step({ type: "wake", nowMs }, () => {
        cluster.lanes.refreshAll(); // not before: a window read in this turn does not show them
        return [];
      }));
    }
    return steps;
  }

  async #fillLanes(): Promise<void> {
    const { cluster, store } = this.parts;
    const { lanes } = cluster;
    if (cluster.workers().length === 0) return;
    for (const pluginId of lanes.undiscovered()) {
      lanes.discover(pluginId, await store.readyLanes(pluginId));
    }
    for (const lane of lanes.hungry()) {
      const asked = lanes.windowJobs();
      lanes.fill(lane, await store.readyJobs(lane, asked), asked);
    }
  }

  async #commit(steps: readonly Step[]): Promise<Outcome[]> {
    const changes = steps.flatMap(({ change }) => change ?? []);
    if (changes.length === 0) return [];
    for (;;) {
      try {
        const outcomes = await this.parts.store.commit(changes);
        this.#committed = true;
        if (this.storeProblem !== null) this.parts.logger.log("info", "The store works again");
        this.storeProblem = null;
        if (changes.some(({ type }) => type === "fail" || type === "wake")) {
          this.#wakeAtMs = await this.parts.store.nextWakeMs();
          this.#wakeup.signal();
        }
        return outcomes;
      } catch (error) {
        await this.#storeFailed(error as Error);
      }
    }
  }

  async #storeFailed({ message }: Error): Promise<void> {
    if (this.#stopping) throw new Error(`Cannot commit as the store refuses: ${message}`);
    if (this.storeProblem !== message) {
      this.parts.logger.log(
        "error",
        `Cannot commit: ${message}. Nothing is dispatched until it can`,
      );
      this.parts.wire.publish("pulse", { store_problem: message });
    }
    this.storeProblem = message;
    await new Promise((resolve) => setTimeout(resolve, STORE_RETRY_MS));
  }

  async #perform(effect: Effect): Promise<void> {
    const { wire, cluster, store, logger, clock } = this.parts;
    switch (effect.type) {
      case "send": {
        const sent = wire.send(effect.peer, effect.name, effect.jobId, effect.body);
        if (sent !== "sent") cluster.peerGone(effect.peer, clock.nowMs());
        return;
      }
      case "dispatch": {
        const { peer, plugin, job, attempt } = effect;
        const json = dispatchJson(plugin, job, attempt, LEASE_MS);
        const sent = wire.sendJson(peer, "dispatch", job.jobId, json);
        if (sent !== "sent") cluster.peerGone(peer, clock.nowMs());
        return;
      }
      case "prepare": {
        const { peer, envHash } = effect;
        const lock = await store.lockfile(envHash);
        if (!lock) return;
        const python = lock.python === null ? {} : { python_version: lock.python };
        const body = { env_hash: envHash, lockfile_content: lock.lockfile, ...python };
        return this.#perform({ type: "send", peer, name: "prepare_env", jobId: 0, body });
      }
      case "event":
        return wire.publish(effect.topic, effect.event);
      case "plugins_changed":
        this.#pluginsChanged = true;
        return;
      case "rescan":
        return this.parts.onRescan(effect.filePath);
      case "note":
        return logger.log("warning", effect.message, effect.fields);
    }
  }

  async #reloadPlugins(): Promise<void> {
    const { store, cluster, intake } = this.parts;
    this.#pluginsChanged = false;
    const topics = new Map((await store.topicConfigs()).map((config) => [config.topic, config]));
    const active = await store.activePlugins();
    const settings = await store.pluginSettings();
    cluster.setPlugins(active.map((row) => activePlugin(row, topics, settings.get(row.name))));
    cluster.lanes.setRootLimits(rootLimits(await store.roots()));
    cluster.publishing.setPlugins(await store.unfinishedPlugins());
    intake.setRoutes(active, await store.rules(), await store.subscriptions());
  }

  #sleepMs(): number {
    const nowMs = this.parts.clock.nowMs();
    const next = Math.min(this.parts.cluster.nextTickMs(), this.#wakeAtMs ?? Infinity);
    return Math.min(Math.max(1, next - nowMs), HEARTBEAT_MS);
  }
}

function rootLimits(roots: readonly RootRow[]): Map<number, RootLimit> {
  return new Map(
    roots.flatMap(({ id, name, jobs_max }) =>
      jobs_max === null ? [] : [[id, { name, jobsMax: jobs_max }]]
    ),
  );
}
