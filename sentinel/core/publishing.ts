/**
 * How a published version becomes active. PENDING: its dependencies have to be locked, which a worker
 * does (RESOLVE), as the sentinel runs no child process. STAGING: its environment has to be built
 * once. ACTIVE: its files are queued. REJECTED: with uv's own words; the version before stays active.
 *
 * A worker that is lost in between is replaced by the next plan; a restart begins from the store.
 */
import type { MessageBody } from "../../protocol/messages.ts";
import type { PluginRow } from "../store/store.ts";
import { type Effect, effects, type Step, step } from "./step.ts";
import { has, type Worker } from "./worker.ts";

interface Resolve {
  callId: number;
  workerId: string;
}

export class Publishing {
  #plugins: readonly PluginRow[] = [];
  /** One RESOLVE under way per set of requirements, however many plugins share it. */
  readonly #resolving = new Map<string, Resolve>();
  #callId = 0;

  constructor(readonly sha256: (text: string) => string) {}

  /** @param unfinished All PENDING and STAGING versions, as the store has them. */
  setPlugins(unfinished: readonly PluginRow[]): void {
    this.#plugins = unfinished;
  }

  unfinished(): readonly PluginRow[] {
    return this.#plugins;
  }

  plan(workers: readonly Worker[]): Step[] {
    const worker = workers.find((worker) => worker.peer !== null && has(worker, "resolve"));
    if (!worker?.peer) return [];
    const { peer, workerId } = worker;
    const steps: Step[] = [];
    for (const plugin of this.#plugins) {
      const key = requirementsKey(plugin);
      if (plugin.status !== "PENDING" || this.#resolving.has(key)) continue;
      const callId = ++this.#callId;
      this.#resolving.set(key, { callId, workerId });
      const body = {
        id: callId,
        requirements: plugin.requirements ?? [],
        ...(plugin.python === null ? {} : { python_version: plugin.python }),
      };
      steps.push(effects({ type: "send", peer, name: "resolve", jobId: 0, body }));
    }
    return steps;
  }

  /** Environments that STAGING versions wait for and nobody builds yet, each with a worker. */
  preparations(workers: readonly Worker[]): { worker: Worker; envHash: string }[] {
    const wanted = new Set(
      this.#plugins.filter(({ status }) => status === "STAGING").map(({ envHash }) => envHash!),
    );
    return [...wanted].flatMap((envHash) => {
      const connected = workers.filter(({ peer }) => peer !== null);
      const states = connected.map(({ environments }) => environments.get(envHash)?.state);
      if (states.includes("preparing")) return [];
      const worker = connected[Math.max(0, states.indexOf("ready"))];
      return worker ? [{ worker, envHash }] : [];
    });
  }

  resolved(worker: Worker, body: MessageBody<"resolved">): Step[] {
    const { workerId } = worker;
    const [key] =
      [...this.#resolving].find(([, resolve]) =>
        resolve.callId === body.id && resolve.workerId === workerId
      ) ?? [];
    if (key === undefined) return [];
    this.#resolving.delete(key);
    const waiting = this.#take((plugin) =>
      plugin.status === "PENDING" && requirementsKey(plugin) === key
    );
    const { lockfile_content: lockfile } = body;
    if (lockfile === undefined) {
      const reason = body.error ?? "The worker locked nothing and gave no reason";
      return waiting.map((plugin) => this.#reject(plugin, reason));
    }
    return waiting.map((plugin) =>
      step({
        type: "plugin_locked",
        pluginId: plugin.id,
        lockfile,
        envHash: this.sha256(lockfile),
        artifactHash: this.sha256(plugin.sourceCode + lockfile),
      }, changed)
    );
  }

  environmentReady(envHash: string, nowMs: number): Step[] {
    return this.#takeStaging(envHash).map((plugin) =>
      step({ type: "plugin_activated", pluginId: plugin.id, nowMs }, () => [
        ...changed(),
        pluginEvent(plugin, "ACTIVE"),
      ])
    );
  }

  environmentFailed(envHash: string, problem: string): Step[] {
    return this.#takeStaging(envHash).map((plugin) =>
      this.#reject(plugin, `Its environment cannot be built: ${problem}`)
    );
  }

  workerLost({ workerId }: Worker): void {
    for (const [key, resolve] of this.#resolving) {
      if (resolve.workerId === workerId) this.#resolving.delete(key);
    }
  }

  #takeStaging(envHash: string): PluginRow[] {
    return this.#take((plugin) => plugin.status === "STAGING" && plugin.envHash === envHash);
  }

  /** They are decided now, so they wait no longer: the plan of this very turn must not ask again. */
  #take(waits: (plugin: PluginRow) => boolean): PluginRow[] {
    const taken = this.#plugins.filter(waits);
    this.#plugins = this.#plugins.filter((plugin) => !waits(plugin));
    return taken;
  }

  #reject(plugin: PluginRow, reason: string): Step {
    return step({ type: "plugin_rejected", pluginId: plugin.id, reason }, () => [
      ...changed(),
      pluginEvent(plugin, "REJECTED"),
    ]);
  }
}

function requirementsKey({ requirements, python }: PluginRow): string {
  return JSON.stringify([requirements, python]);
}

function changed(): Effect[] {
  return [{ type: "plugins_changed" }];
}

function pluginEvent({ id, name }: PluginRow, status: string): Effect {
  return { type: "event", topic: "plugin", event: { plugin_id: id, plugin: name, status } };
}
