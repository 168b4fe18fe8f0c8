/** A run's wall time: from when its plugin gets the job, so that a cold start of Python is no part of it. */
import type { PluginRun } from "./plugin_run.ts";

/** Longer than a timer can wait; such a limit is none. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * @param limitMs No limit if undefined.
 * @returns Call it when the run is over: `onOver` is not called after that.
 */
export function limitWallTime(
  run: Pick<PluginRun, "started">,
  limitMs: number | undefined,
  onOver: () => void,
): () => void {
  if (limitMs === undefined || limitMs > TIMER_MS_MAX) return () => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  run.started.then(() => {
    if (!isOver) timer = setTimeout(onOver, limitMs);
  });
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}
