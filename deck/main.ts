/** The terminal's commands: each one lives in a file of `commands/`, loaded only when it is asked for. */
import type { Command } from "commander";
import type { CliIo } from "../protocol/ports.ts";

type AddCommand = (program: Command, io: CliIo) => void;

const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  start: async () => (await import("./start/start_command.ts")).addStart,
  publish: async () => (await import("./commands/publish.ts")).addPublish,
  plugins: async () => (await import("./commands/plugins.ts")).addPlugins,
  scan: async () => (await import("./commands/scan.ts")).addScan,
  jobs: async () => (await import("./commands/jobs.ts")).addJobs,
  job: async () => (await import("./commands/job.ts")).addJob,
  logs: async () => (await import("./commands/logs.ts")).addLogs,
  retry: async () => (await import("./commands/retry.ts")).addRetry,
  cancel: async () => (await import("./commands/retry.ts")).addCancel,
  prioritise: async () => (await import("./commands/prioritise.ts")).addPrioritise,
  wait: async () => (await import("./commands/wait.ts")).addWait,
  files: async () => (await import("./commands/files.ts")).addFiles,
  roots: async () => (await import("./commands/roots.ts")).addRoots,
  rules: async () => (await import("./commands/rules.ts")).addRules,
  topics: async () => (await import("./commands/topics.ts")).addTopics,
  status: async () => (await import("./commands/status.ts")).addStatus,
  workers: async () => (await import("./commands/workers.ts")).addWorkers,
  envs: async () => (await import("./commands/envs.ts")).addEnvs,
  install: async () => (await import("./commands/install.ts")).addInstall,
};

/** Adds the command that `io.args` names. */
export async function addDeckCommands(program: Command, io: CliIo): Promise<void> {
  const load = COMMANDS[io.args[0] ?? ""];
  if (load) (await load())(program, io);
}
