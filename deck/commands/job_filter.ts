/** The options by which `jobs`, `retry` and `cancel` choose jobs. */
import { type Command, Option } from "commander";
import type { JobFilter } from "../../protocol/control.ts";
import { texts } from "./client.ts";
import { type Moment, moment, TIMES } from "./moment.ts";

/** As in protocol/records.ts and messages.ts, whose schemas would cost `--help` its time. */
export const JOB_STATES = ["QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"] as const;
export const ERROR_KINDS = [
  ...["plugin", "timeout", "memory", "environment", "contract", "gatekeeper"] as const,
  ...["worker_lost", "file_changed", "sink", "aborted"] as const,
];

export interface FilterOptions {
  readonly status?: typeof JOB_STATES[number][];
  readonly plugin?: string;
  readonly errorKind?: typeof ERROR_KINDS[number];
  readonly path?: string;
  readonly root?: string;
  readonly worker?: string;
  readonly since?: Moment;
  readonly until?: Moment;
  /** Of commands that have `--failed`. */
  readonly failed?: boolean;
}

export function withFilterOptions(command: Command): Command {
  const status = new Option("--status <state>", "only jobs in this state; may be repeated")
    .choices(JOB_STATES);
  const parseChoice = status.parseArg!;
  status.argParser((text: string, before: string[] | undefined) => {
    parseChoice(text.toUpperCase(), undefined);
    return texts(text.toUpperCase(), before);
  });
  return command
    .addOption(status)
    .option("--plugin <name>", "only this plugin's")
    .addOption(
      new Option("--error-kind <kind>", "only those that failed so").choices(ERROR_KINDS),
    )
    .option("--path <text>", "only files whose path holds this text")
    .option("--root <name>", "only files of this root")
    .option("--worker <id>", "only those that this worker ran, in any attempt")
    .option("--since <time>", `only those that changed since then: ${TIMES}`, moment)
    .option("--until <time>", "only those that changed before then", moment);
}

/** As {@link toJobFilter}, with `--failed` for the state. */
export function chosenFilter(options: FilterOptions, nowMs: number): JobFilter {
  const filter = toJobFilter(options, nowMs);
  return options.failed ? { ...filter, state: ["FAILED"] } : filter;
}

/** @param nowMs What "2h" counts back from. */
export function toJobFilter(options: FilterOptions, nowMs: number): JobFilter {
  return {
    ...options.status ? { state: options.status } : {},
    ...options.plugin ? { plugin: options.plugin } : {},
    ...options.errorKind ? { error_kind: options.errorKind } : {},
    ...options.path ? { path: options.path } : {},
    ...options.root ? { root: options.root } : {},
    ...options.worker ? { worker: options.worker } : {},
    ...options.since ? { since_ms: options.since(nowMs) } : {},
    ...options.until ? { until_ms: options.until(nowMs) } : {},
  };
}
