/**
 * Answers the control API. Reads go to the reader thread; the rest is answered in the loop's turn, one
 * after the other, so that it sees what the turn before committed. Whatever people change is audited.
 */
import {
  ControlError,
  type JobFilter,
  type Method,
  METHODS,
  parseCall,
  type ParsedParams,
  type Result,
} from "../protocol/control.ts";
import type { MessageBody } from "../protocol/messages.ts";
import { PAGE_ROWS_MAX } from "../protocol/records.ts";
import type { Cluster } from "./core/cluster.ts";
import { defaultSink } from "./core/plugin.ts";
import { isDraining } from "./core/worker.ts";
import type { Loop } from "./loop.ts";
import type { Reader } from "./reader.ts";
import type { Registry } from "./registry.ts";
import type { Roots } from "./roots.ts";
import { compileRoutes, RoutingError } from "./routing.ts";
import type { Refusal, Store } from "./store/store.ts";
import type { ReadMethod } from "./store/sqlite_reads.ts";

export interface ControlParts {
  store: Store;
  reader: Pick<Reader, "read">;
  cluster: Cluster;
  registry: Registry;
  roots: Roots;
  loop(): Loop;
  nowMs(): number;
  info(): Result<"system.info">;
  status(): Promise<Result<"system.status">>;
}

type WriteMethod = Exclude<Method, ReadMethod | "outputs.promoted">;
type Handlers = { [M in WriteMethod]: (params: ParsedParams<M>) => Promise<Result<M>> };

const OK = { ok: true } as const;
/** Jobs of one bulk step: a few milliseconds of the loop. */
const BULK_JOBS_MAX = 500;

export class Control {
  readonly #handlers: Handlers;

  constructor(readonly parts: ControlParts) {
    this.#handlers = this.#writeHandlers();
  }

  /** The REPLY to a CALL; never rejects: what went wrong is in its `error`. */
  async answer({ id, method, params }: MessageBody<"call">): Promise<MessageBody<"reply">> {
    try {
      const call = parseCall(method, params);
      return { id, result: await this.#answer(call.method, call.params) };
    } catch (error) {
      const { message } = error as Error;
      const code = error instanceof ControlError ? error.code : "internal";
      return { id, error: { code, message } };
    }
  }

  /** Reads and scans need no turn of the loop: they are answered when they are done. */
  isSlow(method: string): boolean {
    return method === "scan.run" ||
      (method in METHODS && METHODS[method as Method].kind === "read");
  }

  async #answer(method: Method, params: unknown): Promise<unknown> {
    if (METHODS[method].kind === "read") {
      const result = await this.parts.reader.read(method as ReadMethod, params);
      return method === "jobs.get" ? this.#explained(result as Result<"jobs.get">) : result;
    }
    const handler = this.#handlers[method as WriteMethod] as (params: unknown) => Promise<unknown>;
    return await handler(params);
  }

  #writeHandlers(): Handlers {
    const { store, cluster, registry, roots, nowMs } = this.parts;
    return {
      "system.info": () => Promise.resolve(this.parts.info()),
      "system.status": () => this.parts.status(),
      "jobs.retry": async ({ job_ids, filter, priority }) => {
        const ids = await this.#jobIds(job_ids, filter, ["FAILED", "CANCELLED"]);
        const { refused, done } = await this.#inChunks(ids, async (chunk) => {
          const { plugins, refused } = await store.retry(chunk, nowMs(), priority);
          this.parts.loop().jobsQueued(plugins);
          return { refused, done: chunk.length - refused.length };
        });
        await this.#audit("retry", { retried: done, filter, job_ids, priority });
        return { retried: done, refused };
      },
      "jobs.cancel": async ({ job_ids, filter }) => {
        const ids = await this.#jobIds(job_ids, filter, ["QUEUED", "RUNNING"]);
        const { refused, done } = await this.#inChunks(ids, async (chunk) => {
          const { cancelled, running, refused } = await store.cancel(chunk, nowMs());
          this.parts.loop().perform(cluster.cancel(running, nowMs()));
          return { refused, done: cancelled + running.length };
        });
        await this.#audit("cancel", { cancelled: done, filter, job_ids });
        return { cancelled: done, refused };
      },
      "jobs.prioritise": async ({ job_ids, filter, priority }) => {
        const ids = await this.#jobIds(job_ids, filter, ["QUEUED"]);
        const { refused, done } = await this.#inChunks(ids, async (chunk) => {
          const { plugins, refused } = await store.prioritise(chunk, priority);
          this.parts.loop().jobsQueued(plugins);
          return { refused, done: chunk.length - refused.length };
        });
        await this.#audit("prioritise", { prioritised: done, priority, filter, job_ids });
        return { prioritised: done, refused };
      },
      "plugins.publish": async (params) => {
        const published = await registry.publish(params);
        this.parts.loop().pluginsChanged();
        return published;
      },
      "plugins.pause": async ({ plugin, reason }) => {
        if (!await store.pausePlugin(plugin, reason)) {
          throw new ControlError("not_found", `There is no active plugin '${plugin}'`);
        }
        return this.#changed(reason === null ? "resume" : "pause", { plugin, reason });
      },
      "plugins.set": async ({ plugin, weight, jobs_max, pause_after }) => {
        const given = { weight, jobsMax: jobs_max, pauseAfter: pause_after };
        const changed = Object.entries(given).filter(([, value]) => value !== undefined);
        if (!await store.setPlugin(plugin, Object.fromEntries(changed))) {
          throw new ControlError("not_found", `There is no plugin '${plugin}'`);
        }
        return this.#changed("plugin settings", { plugin, weight, jobs_max, pause_after });
      },
      "rules.create": async ({ plugin, ...rule }) => {
        checkPattern(rule.pattern);
        const ruleId = await store.saveRule(rule);
        if (plugin !== undefined) await store.setSubscription(plugin, rule.tag, true);
        await this.#routesChanged("rule added", { rule_id: ruleId, plugin, ...rule });
        return { rule_id: ruleId! };
      },
      "rules.update": async (rule) => {
        checkPattern(rule.pattern);
        if (await store.saveRule(rule) === null) throw noRule(rule.id);
        return this.#routesChanged("rule changed", rule);
      },
      "rules.delete": async ({ rule_id }) => {
        if (!await store.deleteRule(rule_id)) throw noRule(rule_id);
        return this.#routesChanged("rule removed", { rule_id });
      },
      "subscriptions.set": async ({ plugin, tag, subscribed }) => {
        await store.setSubscription(plugin, tag, subscribed);
        return this.#routesChanged("subscription", { plugin, tag, subscribed });
      },
      "topics.set": async ({ topic, uri, mode }) => {
        const known = (await store.topicConfigs()).find((config) => config.topic === topic);
        const target = uri ?? known?.uri ?? defaultSink(topic).uri;
        if (!target.startsWith("parquet://")) {
          const rule = "Cannot use this sink as it must be parquet://NAME or parquet:///DIR";
          throw new ControlError("invalid", `${rule}: got ${target}`);
        }
        await store.setTopic(topic, target, mode);
        return this.#changed("topic", { topic, uri: target, mode });
      },
      "roots.list": () => roots.list(),
      "roots.add": async (params) => {
        const added = await roots.add(params);
        await this.#audit("root added", params);
        return added;
      },
      "roots.set": async (params) => {
        await roots.set(params);
        await this.#audit("root changed", params);
        return OK;
      },
      "roots.remove": async ({ name }) => {
        await roots.remove(name);
        await this.#audit("root removed", { name });
        return OK;
      },
      "roots.limit": async ({ name, jobs_max }) => {
        if (!await store.limitRoot(name, jobs_max)) {
          throw new ControlError("not_found", `There is no root '${name}'`);
        }
        return this.#changed("root limit", { name, jobs_max });
      },
      "scan.run": ({ root }) => roots.scan(root),
      "outputs.pending": async () => ({ outputs: await store.unpromoted(PAGE_ROWS_MAX) }),
      "workers.drain": async ({ worker, draining }) => {
        if (!await store.drainWorker(worker, draining)) {
          throw new ControlError("not_found", `There is no worker '${worker}'`);
        }
        cluster.drain(worker, draining);
        this.parts.loop().signal();
        await this.#audit(draining ? "drain" : "resume worker", { worker });
        return OK;
      },
      "workers.list": () => Promise.resolve({ workers: cluster.workers().map(workerRecord) }),
    };
  }

  /** What stands in the way of a queued job, as the scheduler sees it. */
  #explained(job: Result<"jobs.get">): Result<"jobs.get"> {
    if (job.state !== "QUEUED") return job;
    const facts = {
      rootId: job.root_id,
      notBeforeMs: job.retry_at_ms ?? 0,
      lostWorkers: job.lost_workers,
      ahead: job.ahead,
    };
    const { cluster, loop, nowMs } = this.parts;
    const reason = cluster.waitingBecause(job.plugin_id, facts, loop().storeProblem, nowMs());
    return { ...job, waiting_because: reason?.text ?? "it is next", held: reason?.held ?? false };
  }

  async #jobIds(
    ids: readonly number[] | undefined,
    filter: JobFilter | undefined,
    states: NonNullable<JobFilter["state"]>,
  ): Promise<number[]> {
    if (ids) return [...ids];
    if (!filter) throw new ControlError("invalid", "Give job_ids or a filter");
    const found: number[] = [];
    let after: number | undefined;
    while (true) {
      const page = await this.parts.reader.read("jobs.list", {
        filter: { state: states, ...filter },
        ...(after === undefined ? {} : { after }),
        limit: PAGE_ROWS_MAX,
      }) as Result<"jobs.list">;
      found.push(...page.jobs.map(({ id }) => id));
      after = page.jobs.at(-1)?.id;
      if (page.jobs.length < PAGE_ROWS_MAX) return found;
    }
  }

  async #inChunks(
    ids: readonly number[],
    work: (chunk: number[]) => Promise<{ refused: Refusal[]; done: number }>,
  ): Promise<{ refused: Refusal[]; done: number }> {
    const total = { refused: [] as Refusal[], done: 0 };
    for (let start = 0; start < ids.length; start += BULK_JOBS_MAX) {
      const { refused, done } = await work(ids.slice(start, start + BULK_JOBS_MAX));
      total.refused.push(...refused);
      total.done += done;
    }
    return total;
  }

  /** Files that were there before may be routed anew: all of them are taken in again. */
  async #routesChanged(action: string, detail: unknown): Promise<typeof OK> {
    for (const { id } of await this.parts.store.activePlugins()) {
      await this.parts.store.intakeProgress(id, 0);
    }
    return await this.#changed(action, detail);
  }

  async #changed(action: string, detail: unknown): Promise<typeof OK> {
    this.parts.loop().pluginsChanged();
    await this.#audit(action, detail);
    return OK;
  }

  async #audit(action: string, detail: unknown): Promise<void> {
    const entry = { atMs: this.parts.nowMs(), who: "control", action };
    await this.parts.store.audit({ ...entry, detail: JSON.stringify(detail) });
  }
}

function checkPattern(pattern: string): void {
  try {
    compileRoutes([{ id: "new", pattern, target: "" }]);
  } catch (error) {
    if (!(error instanceof RoutingError)) throw error;
    throw new ControlError("invalid", error.message);
  }
}

function noRule(ruleId: number): ControlError {
  return new ControlError("not_found", `There is no rule ${ruleId}`);
}

function workerRecord(worker: ReturnType<Cluster["workers"]>[number]) {
  return {
    id: worker.workerId,
    host: worker.host,
    version: worker.version,
    connected: worker.peer !== null,
    draining: isDraining(worker),
    slots: worker.slots,
    running: worker.leases.size,
    sandbox: worker.sandbox,
    environments: [...worker.environments].map(([env_hash, environment]) => ({
      env_hash,
      state: environment.state === "failed" ? `failed: ${environment.problem}` : environment.state,
      warm: worker.warm.has(env_hash),
    })),
    last_seen_ms: worker.lastSeenMs,
  };
}
