/** What went wrong with a job, as the sentinel counts it: plugin, memory, sink, environment, … */
import { BridgeError } from "../protocol/bridge.ts";
import { bounded, JobFailure } from "./conclusions.ts";
import { SinkError } from "./sinks/sink.ts";
import { PluginDied, PluginError, TemplateError } from "./plugin_run.ts";

/** Any error as the failure to report; `JobFailure`s stay what they are. */
export function asJobFailure(error: unknown): JobFailure {
  const cause = error instanceof Error ? error : new Error(String(error));
  if (cause instanceof JobFailure) return cause;
  if (cause instanceof PluginError) return pluginFailure(cause);
  if (cause instanceof PluginDied) return deathFailure(cause);
  if (cause instanceof BridgeError) {
    const message = `The plugin's process broke the bridge: ${cause.message}`;
    return new JobFailure("plugin", message, false, { cause });
  }
  if (cause instanceof TemplateError) {
    return new JobFailure("environment", cause.message, true, { cause });
  }
  if (cause instanceof SinkError) {
    return new JobFailure("sink", cause.message, cause.retryable, { cause });
  }
  // Nothing of the plugin's: another worker, or this one later, may well do it.
  const message = `The worker could not run the job: ${cause.name}: ${cause.message}`;
  return new JobFailure("environment", message, true, { cause });
}

const SIGKILL = 9;

/** Nobody here killed it (that is explained before), so the kernel did: for want of memory. */
function deathFailure(cause: PluginDied): JobFailure {
  const kind = cause.exit?.signal === SIGKILL ? "memory" : "plugin";
  return new JobFailure(kind, cause.message, false, { cause });
}

function pluginFailure(cause: PluginError): JobFailure {
  const traceback = bounded(cause.message);
  const kind = /^(numpy\.\S*)?MemoryError\b/.test(lastLine(traceback)) ||
      traceback.startsWith("MemoryError")
    ? "memory"
    : "plugin";
  return new JobFailure(kind, traceback, false, { cause });
}

export function timedOut(timeoutMs: number): JobFailure {
  return new JobFailure(
    "timeout",
    `The plugin was killed as it ran longer than ${timeoutMs} ms: ` +
      `raise timeout_s in its MANIFEST if the file is worth it`,
  );
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}
