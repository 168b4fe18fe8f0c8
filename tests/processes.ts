/** Which processes of this machine live and whose they are, by the proc file system. */

/** Those, but for zombies, with the mark in their command line, environment or working folder. */
export function processesOf(mark: string): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name))
    .filter((pid) => pid > 0 && isAlive(pid) && belongs(pid, mark));
}

export function isAlive(pid: number | string): boolean {
  const stat = read(pid, "stat");
  return stat !== "" && stat.slice(stat.lastIndexOf(")")).split(" ")[1] !== "Z";
}

/** Resident, in bytes. */
export function memoryOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(read(pid, "status"))?.[1] ?? 0) * 1024;
}

/** The most it was resident since it began. */
export function peakMemoryOf(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(read(pid, "status"))?.[1] ?? 0) * 1024;
}

/** Until the condition holds: of other people's processes and files nobody tells. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 30_000,
): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!await condition()) {
    if (performance.now() > endMs) throw new Error(`Waited ${limitMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function belongs(pid: number, mark: string): boolean {
  return read(pid, "cmdline").includes(mark) || read(pid, "environ").includes(mark) ||
    folderOf(pid).startsWith(mark);
}

function folderOf(pid: number): string {
  try {
    return Deno.readLinkSync(`/proc/${pid}/cwd`);
  } catch {
    return ""; // it ended meanwhile
  }
}

function read(pid: number | string, name: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${name}`);
  } catch {
    return "";
  }
}
