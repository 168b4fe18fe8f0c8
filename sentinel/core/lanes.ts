/**
 * The queue as the scheduler sees it: one lane per active plugin, each a short window of the store's
 * ready jobs. Memory does not grow with the queue, and no plugin stands in front of another.
 */
import type { ReadyJob } from "../store/store.ts";
import type { ActivePlugin } from "./plugin.ts";

/** Jobs read ahead per plugin: enough for one loop turn of a large cluster. */
export const LANE_JOBS_MAX = 256;
/** Below this a lane is read again, so that it never runs dry in mid-turn. */
const LANE_JOBS_LOW = 64;

export interface Lane {
  plugin: ActivePlugin;
  jobs: ReadyJob[];
  /** The store had no more when it was read last. */
  exhausted: boolean;
  running: number;
  /** Number of the turn that served it last: ties go to who waited longest. */
  servedAt: number;
}

export class Lanes {
  readonly #lanes = new Map<number, Lane>();
  /** Jobs handed out but not yet committed: a window read meanwhile still shows them. */
  readonly #taken = new Set<number>();

  setPlugins(plugins: readonly ActivePlugin[]): void {
    const active = new Set(plugins.map(({ pluginId }) => pluginId));
    for (const pluginId of this.#lanes.keys()) {
      if (!active.has(pluginId)) this.#lanes.delete(pluginId);
    }
    for (const plugin of plugins) {
      const lane = this.#lanes.get(plugin.pluginId);
      if (lane) lane.plugin = plugin;
      else {
        this.#lanes.set(plugin.pluginId, {
          plugin,
          jobs: [],
          exhausted: false,
          running: 0,
          servedAt: 0,
        });
      }
    }
  }

  get(pluginId: number): Lane | undefined {
    return this.#lanes.get(pluginId);
  }

  all(): Iterable<Lane> {
    return this.#lanes.values();
  }

  /** The store's queue changed: the window is read anew, as it may start with other jobs now. */
  refresh(pluginId: number): void {
    const lane = this.#lanes.get(pluginId);
    if (!lane) return;
    lane.exhausted = false;
    lane.jobs = [];
  }

  /** Lanes whose window should be read before the next plan. */
  hungry(): number[] {
    return [...this.#lanes.values()]
      .filter(({ jobs, exhausted }) => !exhausted && jobs.length < LANE_JOBS_LOW)
      .map(({ plugin }) => plugin.pluginId);
  }

  /** @param jobs The store's first {@link LANE_JOBS_MAX} ready jobs of this plugin, in order. */
  fill(pluginId: number, jobs: readonly ReadyJob[]): void {
    const lane = this.#lanes.get(pluginId);
    if (!lane) return;
    lane.exhausted = jobs.length < LANE_JOBS_MAX;
    lane.jobs = jobs.filter(({ jobId }) => !this.#taken.has(jobId));
  }

  take(lane: Lane, turn: number): ReadyJob | undefined {
    const job = lane.jobs.shift();
    if (!job) return undefined;
    this.#taken.add(job.jobId);
    lane.running++;
    lane.servedAt = turn;
    return job;
  }

  /** The claim is in the store, or was refused there. */
  settled(jobId: number): void {
    this.#taken.delete(jobId);
  }

  /** A job of this plugin ended or lost its lease. */
  released(pluginId: number): void {
    const lane = this.#lanes.get(pluginId);
    if (lane) lane.running--;
  }
}
