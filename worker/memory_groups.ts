/** Control groups of version 2, where a service manager or a container has delegated some to us. */
import { launchToEnd } from "./launcher.ts";

const LIMIT_MS = 5_000;

export type MemoryGroups =
  | { readonly directory: string; readonly missing?: undefined }
  /** Why there are none, for people. */
  | { readonly directory?: undefined; readonly missing: string };

/** Makes ready the folder in which each plugin's process gets a group of its own; see launch.sh. */
export async function prepareGroups(): Promise<MemoryGroups> {
  const { success, stdout, stderr } = await launchToEnd(["groups"], { limitMs: LIMIT_MS });
  return success ? { directory: stdout.trim() } : { missing: stderr.trim() };
}
