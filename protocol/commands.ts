/**
 * Every command of `casparian`: the one list behind `--help`, which so needs no room to be loaded.
 *
 * `room` is the folder whose main.ts adds the command. A `program` is started with permissions of its own
 * (security/permissions.ts); the others are clients of a running sentinel.
 */
export interface CommandEntry {
  readonly name: string;
  readonly group: string;
  readonly summary: string;
  readonly room: "deck" | "sentinel" | "worker";
  readonly program?: true;
  /** A file of the project without which the command is not there; a bundle may lack it. */
  readonly file: string;
}

const entry = (
  group: string,
  room: CommandEntry["room"],
  name: string,
  summary: string,
  kind: { program?: true; file?: string } = {},
): CommandEntry => ({ name, group, summary, room, file: `${room}/main.ts`, ...kind });

const PROGRAM = { program: true } as const;
const PORTABLE = { program: true, file: "worker/portable/commands.ts" } as const;
const [RUN, PLUGINS, JOBS, SETTINGS, SYSTEM] = [
  "Run:",
  "Plugins:",
  "Jobs:",
  "Settings:",
  "System:",
] as const;

export const COMMANDS: readonly CommandEntry[] = [
  entry(RUN, "deck", "start", "Run a sentinel and a worker on this machine", PROGRAM),
  entry(
    RUN,
    "sentinel",
    "sentinel",
    "Run a sentinel alone: it finds files and leases jobs",
    PROGRAM,
  ),
  entry(RUN, "worker", "worker", "Run a worker alone: it runs plugins and lands tables", PROGRAM),
  entry(PLUGINS, "worker", "run", "Try a plugin on files, without any server", PROGRAM),
  entry(PLUGINS, "deck", "publish", "Publish plugins: checked, locked, then active"),
  entry(PLUGINS, "deck", "plugins", "List the plugins, pause, resume, weigh or limit one"),
  entry(JOBS, "deck", "scan", "Look for new, changed and deleted files now"),
  entry(JOBS, "deck", "jobs", "List jobs"),
  entry(JOBS, "deck", "job", "Show one job: attempts, outputs, error, why it waits"),
  entry(JOBS, "deck", "logs", "Print what a job's plugin printed"),
  entry(JOBS, "deck", "retry", "Queue finished jobs again"),
  entry(JOBS, "deck", "cancel", "Cancel jobs that are queued or running"),
  entry(JOBS, "deck", "prioritise", "Let queued jobs go before others, or after them"),
  entry(JOBS, "deck", "wait", "Wait until jobs are finished, or all is idle"),
  entry(JOBS, "deck", "files", "List files: all, unclaimed, with problems, deleted"),
  entry(SETTINGS, "deck", "roots", "List, add, remove or limit the folders that are watched"),
  entry(SETTINGS, "deck", "rules", "List or change which files go to which plugins"),
  entry(SETTINGS, "deck", "topics", "List topics, or set where and how one is written"),
  entry(SYSTEM, "deck", "status", "Show what there is to do, and what has landed"),
  entry(SYSTEM, "deck", "workers", "List workers, drain one, or let it work again"),
  entry(SYSTEM, "deck", "envs", "List Python environments"),
  entry(SYSTEM, "worker", "health", "Tell by the exit code whether this state's programs work"),
  entry(SYSTEM, "worker", "doctor", "Check this machine, and say how to mend it", PROGRAM),
  entry(SYSTEM, "worker", "bundle", "Make a folder that runs on hosts with only Python", PORTABLE),
  entry(SYSTEM, "worker", "compile", "Make the worker a single file, by deno compile", PORTABLE),
  entry(SYSTEM, "deck", "install", "Put a `casparian` launcher on the PATH", PROGRAM),
];

/** What `--help` says of a command. */
export function summaryOf(name: string): string {
  return COMMANDS.find((command) => command.name === name)?.summary ?? "";
}
