/** How much memory this host has for jobs, and what one of them may hold. */
import { launchToEnd } from "./launcher.ts";

/** The rest is for the worker itself, its templates and encoders, and whatever else the host does. */
const JOBS_SHARE = 0.8;
/** Python with pandas holds 0.1 GiB before it has read a byte. */
const JOB_BYTES_MIN = 512 * 1024 ** 2;
const MIB = 1024 ** 2;
const PROBE_LIMIT_MS = 5_000;

/**
 * What a job may hold whose plugin names no `memory_mb`: with all slots in use there is still a fifth
 * of the memory left. Whole MiB, never under 512. [pure]
 */
export function memoryShareBytes(hostBytes: number, slots: number): number {
  const share = Math.floor((hostBytes * JOBS_SHARE) / slots / MIB) * MIB;
  return Math.max(JOB_BYTES_MIN, share);
}

/**
 * The memory of this host, or less if the container or control group that we are in has less.
 * @throws {Error} If the host does not say.
 */
export async function hostMemoryBytes(): Promise<number> {
  const { stdout, stderr } = await launchToEnd(["memory"], { limitMs: PROBE_LIMIT_MS });
  const bytes = Number(stdout.trim());
  if (bytes > 0) return bytes;
  throw new Error(`Cannot tell how much memory this host has: ${stderr.trim()}`);
}
