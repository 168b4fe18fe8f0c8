/** What went wrong with a job, as the sentinel counts it: plugin, memory, sink, environment, … */
import { BridgeError } from "../protocol/bridge.ts";
import { bounded, JobFailure } from "./conclusions.ts";
import { SinkError } from "./sinks/sink.ts";
import { overMemory } from "./early_end.ts";
import { PluginDied, PluginError, TemplateError } from "./plugin_run.ts";
import { noCounts, type RunCounts } from "./plugin_stream.ts";

/** Any error as the failure to report, how far its run had come; `JobFailure`s stay what they are. */
export function asJobFailure(error: unknown, reached: RunCounts = noCounts()): JobFailure {
  const cause = error instanceof Error ? error : new Error(String(error));
  if (cause instanceof JobFailure) return cause;
  if (cause instanceof PluginError) return pluginFailure(cause);
  if (cause instanceof PluginDied) return deathFailure(cause, reached);
  if (cause instanceof BridgeError) {
    const message = `The plugin's process broke the bridge: ${cause.message}`;
    return new JobFailure("plugin", message, true, { cause });
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

/** Killed by none of us (that is explained before), the kernel did it: for want of memory. */
function deathFailure(cause: PluginDied, reached: RunCounts): JobFailure {
  const { exit, limitBytes } = cause;
  if (exit?.overMemoryBytes !== undefined && limitBytes !== undefined) {
    return overMemory(exit.overMemoryBytes, limitBytes, reached);
  }
  const wantedMemory = exit?.signal === SIGKILL || BAD_ALLOC.test(exit?.output ?? "");
  return new JobFailure(wantedMemory ? "memory" : "plugin", cause.message, true, { cause });
}

/** What C++ says, and Rust, when the address space is used up. */
const BAD_ALLOC = /std::bad_alloc|memory allocation of \d+ bytes failed/;

function pluginFailure(cause: PluginError): JobFailure {
  const traceback = bounded(cause.message);
  const kind = /^(numpy\.\S*)?MemoryError\b/.test(lastLine(traceback)) ||
      traceback.startsWith("MemoryError")
    ? "memory"
    : "plugin";
  return new JobFailure(kind, traceback, true, { cause });
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}
