/** Numbers as people read them; `--json` has the exact ones. */

const NUMBER = new Intl.NumberFormat("en-US");
const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** 1,234,567 */
export function count(value: number): string {
  return NUMBER.format(value);
}

/** "1 file", "2 files" */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** 512 B, 1.5 KiB, 23 MiB */
export function bytes(value: number): string {
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** 35 ms, 1.2 s, 3 min 20 s, 2 h 5 min */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "12 s ago"; "-" for never. */
export function ago(atMs: number | null, nowMs: number): string {
  return atMs === null ? "-" : `${duration(Math.max(0, nowMs - atMs))} ago`;
}
