/** For tests: a cluster without a store, whose outcomes the test gives by hand. */
import { FEATURES, type Message, type MessageBody } from "../../protocol/messages.ts";
import type { Change, LaneKey, Outcome, PluginRow, ReadyJob } from "../store/store.ts";
import { Cluster } from "./cluster.ts";
import type { Lanes } from "./lanes.ts";
import type { ActivePlugin } from "./plugin.ts";
import { type Effect, effectsOf, type Step } from "./step.ts";
import type { WaitingJob } from "./waiting.ts";

export const ENV = "env";

export function pluginRow(over: Partial<PluginRow> = {}): PluginRow {
  return {
    id: 1,
    name: "p",
    version: "1",
    sourceCode: "source",
    artifactHash: "artifact",
    envHash: ENV,
    patterns: ["*"],
    topics: ["t"],
    manifest: {},
    requirements: null,
    python: null,
    status: "ACTIVE",
    reason: null,
    paused: null,
    intakeAfterFileId: null,
    ...over,
  };
}

export function plugin(pluginId = 1, over: Partial<ActivePlugin> = {}): ActivePlugin {
  return {
    pluginId,
    name: `p${pluginId}`,
    versionLabel: "1",
    envHash: ENV,
    sinks: [{ topic: "t", uri: "parquet://output/t", mode: "replace" }],
    rules: { retries: 0, memoryMb: null, memoryMbMax: null },
    weight: 1,
    jobsMax: null,
    pauseAfter: 3,
    timeoutMs: null,
    paused: null,
    row: pluginRow({ id: pluginId, name: `p${pluginId}` }),
    ...over,
  };
}

export function job(jobId: number, over: Partial<ReadyJob> = {}): ReadyJob {
  return {
    jobId,
    pluginId: 1,
    attempt: 0,
    failures: 0,
    lostWorkers: 0,
    memoryMb: null,
    rootId: 1,
    generation: jobId,
    priority: 0,
    fileVersionId: jobId,
    filePath: `/data/${jobId}`,
    rootName: "data",
    rootDirectory: "/data",
    fileKey: "key",
    contentHash: "hash",
    size: 1,
    mtimeMs: 1,
    ...over,
  };
}

export function jobs(firstId: number, count: number, over: Partial<ReadyJob> = {}): ReadyJob[] {
  return Array.from({ length: count }, (_, n) => job(firstId + n, over));
}

/** As if these were all the ready jobs that the store has, in its order. */
export function fillLanes(lanes: Lanes, ready: readonly ReadyJob[]): void {
  const ordered = ready.toSorted((a, b) => b.priority - a.priority || a.jobId - b.jobId);
  const byPlugin = Map.groupBy(ordered, ({ pluginId }) => pluginId);
  for (const [pluginId, jobs] of byPlugin) {
    const byLane = Map.groupBy(jobs, (job) => JSON.stringify(laneOf(job)));
    lanes.refresh(pluginId);
    lanes.discover(pluginId, [...byLane.keys()].map((key) => JSON.parse(key)));
    for (const [key, jobs] of byLane) lanes.fill(JSON.parse(key), jobs, jobs.length + 1);
  }
}

export function laneOf({ pluginId, rootId, lostWorkers }: ReadyJob): LaneKey {
  return { pluginId, rootId, suspects: lostWorkers > 0 };
}

/** A cluster with one plugin; what each call changed and sent is kept. */
export class ClusterWorld {
  readonly cluster = new Cluster(() => 0, (text) => `sha:${text}`);
  changes: Change[] = [];
  effects: Effect[] = [];
  nowMs = 10_000;

  constructor(...plugins: ActivePlugin[]) {
    this.cluster.setPlugins(plugins.length > 0 ? plugins : [plugin()]);
    this.settle(this.cluster.tick(this.nowMs));
  }

  /** Commits `steps`, as if the store answered `outcome` to every change. */
  settle(steps: readonly Step[], outcome: Outcome = { applied: true }): Effect[] {
    this.changes = steps.flatMap(({ change }) => change ?? []);
    return this.effects = effectsOf(steps, this.changes.map(() => outcome));
  }

  says(peer: string, message: Message, outcome?: Outcome): Effect[] {
    return this.settle(this.cluster.onMessage(peer, message, this.nowMs), outcome);
  }

  /** One of our workers, with the environment ready. */
  join(peer: string, workerId: string, over: Partial<MessageBody<"identify">> = {}): Effect[] {
    const features = [...FEATURES];
    const ours = { capabilities: [], worker_id: workerId, features, slots: 1, envs: [ENV] };
    return this.says(peer, { name: "identify", jobId: 0, body: { ...ours, ...over } });
  }

  joinPlain(peer: string): Effect[] {
    const effects = this.says(peer, { name: "identify", jobId: 0, body: { capabilities: ["*"] } });
    this.says(peer, {
      name: "env_ready",
      jobId: 0,
      body: { env_hash: ENV, interpreter_path: "/python" },
    });
    return effects;
  }

  beats(peer: string, activeJobIds: number[]): Effect[] {
    const body = { status: "BUSY" as const, active_job_ids: activeJobIds };
    return this.says(peer, { name: "heartbeat", jobId: 0, body });
  }

  concludes(
    peer: string,
    jobId: number,
    over: Partial<MessageBody<"conclude">> = {},
    outcome?: Outcome,
  ): Effect[] {
    const body = { status: "SUCCESS" as const, metrics: {}, artifacts: [], ...over };
    return this.says(peer, { name: "conclude", jobId, body }, outcome);
  }

  /** Queues jobs, plans, and returns what was dispatched as "job@peer". */
  dispatches(ready: readonly ReadyJob[] = [], outcome?: Outcome): string[] {
    if (ready.length > 0) fillLanes(this.cluster.lanes, ready);
    return this.settle(this.cluster.plan(this.nowMs), outcome).flatMap((effect) =>
      effect.type === "dispatch" ? [`${effect.job.jobId}@${effect.peer}`] : []
    );
  }

  ticks(afterMs: number): Effect[] {
    this.nowMs += afterMs;
    return this.settle(this.cluster.tick(this.nowMs));
  }

  /** Why jobs of a plugin, or this one of them, do not run. */
  waiting(pluginId: number, job: WaitingJob | null = null): string | undefined {
    return this.cluster.waitingBecause(pluginId, job, null, this.nowMs)?.text;
  }

  change<T extends Change["type"]>(type: T): Extract<Change, { type: T }> | undefined {
    return this.changes.find((change) => change.type === type) as never;
  }

  /** The states that job events announced. */
  states(): unknown[] {
    return this.effects.flatMap((effect) =>
      effect.type === "event" && effect.topic === "job" ? [effect.event.state] : []
    );
  }

  sent(name: string): { peer: string; jobId: number; body: Record<string, unknown> }[] {
    return this.effects.flatMap((effect) =>
      effect.type === "send" && effect.name === name ? [effect as never] : []
    );
  }
}
