/** What a plugin is run on, what comes of it, and how it fails: the words between jobs and processes. */
import type { BridgeFrame } from "../protocol/bridge.ts";

export interface PluginJob {
  readonly jobId: number;
  readonly attempt: number;
  /** The environment's Python, absolute. */
  readonly interpreterPath: string;
  /** Jobs of one artifact may share a process; those of two never do. */
  readonly artifactHash: string;
  readonly pluginName: string;
  readonly pluginCode: string;
  readonly filePath: string;
  readonly fileVersionId: number;
  /** Those that may be yielded to, the first for what names none; empty if any may. */
  readonly topics: readonly string[];
  readonly config?: Readonly<Record<string, unknown>>;
  /** "job": a process of its own, thrown away afterwards. */
  readonly isolation: "plugin" | "job";
  /** All folders that the plugin may read. */
  readonly dataRoots: readonly string[];
  /** What its process and all that this starts may hold; no limit without it. */
  readonly memoryBytes?: number | undefined;
  /** Awaited before a batch is read that is too large for several of its like at once. */
  readonly beforeLarge?: () => Promise<void>;
  /** What it may print; the shim's own bound without it. */
  readonly logBytes?: number | undefined;
}

export interface PluginRun {
  /**
   * To be read once; reading starts the job. Ends when the plugin is done. It reads the socket only
   * when asked for more, so whoever is slow holds the plugin back.
   * @throws {PluginError} If the plugin raised.
   * @throws {PluginDied} If its process ended before its end marker, or was killed.
   * @throws {BridgeError} If its process broke the framing.
   * @throws {TemplateError} If no process could be had for it.
   */
  readonly frames: AsyncIterable<BridgeFrame>;
  /** Resolves when the plugin's process gets the job; never, if it comes to none. */
  readonly started: Promise<void>;
  /** Ends the process and all that it started; `frames` then throws PluginDied with this cause. */
  kill(cause: string): void;
  /** Asks the plugin to end by itself (its `finally` runs), and kills it after a grace. */
  cancel(cause: string): void;
}

/** The plugin raised; the message is its traceback, trimmed to its own lines. */
export class PluginError extends Error {
  override name = "PluginError";
}

/** How a child's process ended. Of a template that died with it, nothing is known. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: number | null;
  /** The most memory it ever held, in KiB. */
  readonly rssPeakKib: number;
  /** The end of what it wrote and nobody read before it ended: a crash report, say. */
  readonly output: string;
  /** What its last job had yielded, to the row. */
  readonly rows: number;
  readonly results: number;
  /** What it held when it was killed for holding more than its limit. */
  readonly overMemoryBytes?: number;
}

/** The plugin's process ended, or was ended, before its end marker. */
export class PluginDied extends Error {
  override name = "PluginDied";
  /** @param limitBytes The memory limit that it had. */
  constructor(message: string, readonly exit?: ChildExit, readonly limitBytes?: number) {
    super(message);
  }
}

/** No process could be had: the environment's or this host's fault, not the plugin's. */
export class TemplateError extends Error {
  override name = "TemplateError";
}

const SIGKILL = 9;

/** In words for the plugin's author. */
export function deathOf(exit: ChildExit | undefined, limitBytes?: number): PluginDied {
  if (exit === undefined) {
    return new PluginDied("The plugin's process ended as the Python template it came from died");
  }
  const { code, signal, rssPeakKib, output } = exit;
  const how = signal === null ? `with exit code ${code}` : `by signal ${signal}`;
  const peak = `its memory peaked at ${Math.round(rssPeakKib / 1024)} MiB`;
  const hint = signal === SIGKILL ? `; if it was not killed by hand, memory ran out (${peak})` : "";
  const said = output.trim() === "" ? "" : `\n${output.trim()}`;
  const early = "before it had yielded all: it must return from execute()";
  return new PluginDied(
    `The plugin's process ended ${how} ${early}${hint}${said}`,
    exit,
    limitBytes,
  );
}
