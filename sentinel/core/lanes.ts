/**
 * The queue as the scheduler sees it. Each active plugin version has lanes: one per source root, and
 * again one per root for jobs that lost a worker (suspects.ts). Each is a short window of the store's
 * ready jobs, so memory does not grow with the queue, and neither a plugin nor a root at its limit nor
 * a suspect stands in front of others.
 *
 * What runs is counted by plugin name and by root, as operators limit both over all versions.
 */
import type { LaneKey, ReadyJob } from "../store/store.ts";
import type { ActivePlugin } from "./plugin.ts";

/** Jobs read ahead per lane: enough for one loop turn of a large cluster. */
export const LANE_JOBS_MAX = 256;
/** With very many lanes each is read less far ahead, as all of them together must stay small. */
const WINDOW_JOBS_MAX = 16_384;
const LANE_JOBS_MIN = 16;

export interface Lane extends LaneKey {
  jobs: ReadyJob[];
  /** The store had no more when it was read last. */
  exhausted: boolean;
}

/** One plugin version and its part of the queue. */
export interface PluginLanes {
  plugin: ActivePlugin;
  lanes: Lane[];
  /** Which lanes it has is known; otherwise the store is asked before the next plan. */
  discovered: boolean;
  /** Number of the turn that served it last: ties go to who waited longest. */
  servedAt: number;
}

export interface RootLimit {
  name: string;
  jobsMax: number;
}

export class Lanes {
  readonly #plugins = new Map<number, PluginLanes>();
  #rootLimits: ReadonlyMap<number, RootLimit> = new Map();
  /** Jobs that workers hold, by plugin name and by root id. */
  readonly #running = { plugins: new Map<string, number>(), roots: new Map<number, number>() };
  /** Jobs handed out but not yet committed: a window read meanwhile still shows them. */
  readonly #taken = new Set<number>();

  setPlugins(plugins: readonly ActivePlugin[]): void {
    const active = new Set(plugins.map(({ pluginId }) => pluginId));
    for (const pluginId of this.#plugins.keys()) {
      if (!active.has(pluginId)) this.#plugins.delete(pluginId);
    }
    for (const plugin of plugins) {
      const known = this.#plugins.get(plugin.pluginId);
      if (known) known.plugin = plugin;
      else {
        const fresh = { plugin, lanes: [], discovered: false, servedAt: 0 };
        this.#plugins.set(plugin.pluginId, fresh);
      }
    }
  }

  /** @param limits By root id; a root without one is not limited. */
  setRootLimits(limits: ReadonlyMap<number, RootLimit>): void {
    this.#rootLimits = limits;
  }

  all(): Iterable<PluginLanes> {
    return this.#plugins.values();
  }

  runningOfPlugin(name: string): number {
    return this.#running.plugins.get(name) ?? 0;
  }

  runningOfRoot(rootId: number): number {
    return this.#running.roots.get(rootId) ?? 0;
  }

  rootLimit(rootId: number): RootLimit | undefined {
    return this.#rootLimits.get(rootId);
  }

  isPluginFull({ name, jobsMax }: ActivePlugin): boolean {
    return jobsMax !== null && this.runningOfPlugin(name) >= jobsMax;
  }

  isRootFull(rootId: number): boolean {
    const limit = this.#rootLimits.get(rootId);
    return limit !== undefined && this.runningOfRoot(rootId) >= limit.jobsMax;
  }

  /** The store's queue changed: the windows are read anew, as they may start with other jobs now. */
  refresh(pluginId: number): void {
    const known = this.#plugins.get(pluginId);
    if (!known) return;
    known.discovered = false;
    for (const lane of known.lanes) {
      lane.jobs = [];
      lane.exhausted = false;
    }
  }

  refreshAll(): void {
    for (const pluginId of this.#plugins.keys()) this.refresh(pluginId);
  }

  /** Plugin versions whose lanes must be asked for before the next plan. */
  undiscovered(): number[] {
    return [...this.#plugins.values()].filter(({ discovered }) => !discovered)
      .map(({ plugin }) => plugin.pluginId);
  }

  /** @param keys The lanes that have ready jobs, as the store says. */
  discover(pluginId: number, keys: readonly LaneKey[]): void {
    const known = this.#plugins.get(pluginId);
    if (!known) return;
    known.discovered = true;
    known.lanes = keys.map((key) =>
      known.lanes.find((lane) => isSame(lane, key)) ?? { ...key, jobs: [], exhausted: false }
    );
  }

  /** Lanes whose window should be read before the next plan: those that may be served, if it is low. */
  hungry(): LaneKey[] {
    const low = this.windowJobs() / 4;
    return [...this.#plugins.values()].flatMap(({ plugin, lanes }) =>
      plugin.paused !== null || this.isPluginFull(plugin)
        ? []
        : lanes.filter((lane) =>
          !lane.exhausted && lane.jobs.length < low && !this.isRootFull(lane.rootId)
        )
    );
  }

  /** How many jobs of each lane are read ahead. */
  windowJobs(): number {
    let lanes = 0;
    for (const known of this.#plugins.values()) lanes += known.lanes.length;
    const share = Math.floor(WINDOW_JOBS_MAX / Math.max(1, lanes));
    return Math.max(LANE_JOBS_MIN, Math.min(LANE_JOBS_MAX, share));
  }

  /** @param jobs The store's first ready jobs of this lane, in order; `asked` for at most. */
  fill(key: LaneKey, jobs: readonly ReadyJob[], asked: number): void {
    const lane = this.#plugins.get(key.pluginId)?.lanes.find((lane) => isSame(lane, key));
    if (!lane) return;
    lane.exhausted = jobs.length < asked;
    lane.jobs = jobs.filter(({ jobId }) => !this.#taken.has(jobId));
  }

  /** Takes one job of a lane's window for a worker: it counts as running from now on. */
  take(from: PluginLanes, lane: Lane, job: ReadyJob, turn: number): void {
    if (lane.jobs[0] === job) lane.jobs.shift();
    else lane.jobs.splice(lane.jobs.indexOf(job), 1);
    this.#taken.add(job.jobId);
    this.began(from.plugin.name, lane.rootId);
    from.servedAt = turn;
  }

  /** The claim is in the store, or was refused there. */
  settled(jobId: number): void {
    this.#taken.delete(jobId);
  }

  began(pluginName: string, rootId: number): void {
    this.#count(pluginName, rootId, 1);
  }

  /** A job of this plugin and root ended or lost its lease. */
  released(pluginName: string, rootId: number): void {
    this.#count(pluginName, rootId, -1);
  }

  #count(pluginName: string, rootId: number, by: number): void {
    const { plugins, roots } = this.#running;
    plugins.set(pluginName, this.runningOfPlugin(pluginName) + by);
    roots.set(rootId, this.runningOfRoot(rootId) + by);
  }
}

function isSame(lane: LaneKey, key: LaneKey): boolean {
  return lane.pluginId === key.pluginId && lane.rootId === key.rootId &&
    lane.suspects === key.suspects;
}
