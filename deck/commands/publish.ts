import type { Command } from "commander";
import { resolve } from "node:path";
import { CliError, EXIT } from "../../protocol/exit_codes.ts";
import type { ControlClient } from "../../protocol/control.ts";
import type { CliIo } from "../../protocol/ports.ts";
import type { Plugin } from "../../protocol/records.ts";
import { ProgressLine } from "../terminal/progress.ts";
import { addClientCommand, type ClientOptions, print, withSentinel } from "./client.ts";

interface PublishOptions extends ClientOptions {
  readonly wait: boolean;
  readonly upgrade?: boolean;
}

type Outcome = { file: string } & ({ plugin: Plugin } | { error: string });

export function addPublish(program: Command, io: CliIo): void {
  addClientCommand(program, "publish", ["publish my_plugin.py", "publish plugins/*.py --json"])
    .argument("<files...>", "Python files, each with a MANIFEST and a class Handler")
    .option("--no-wait", "don't wait until it is active")
    .option("--upgrade", "lock its dependencies afresh")
    .action((files: string[], options: PublishOptions) =>
      withSentinel(io, options, (client) => publishFiles(client, io, files, options))
    );
}

async function publishFiles(
  client: ControlClient,
  io: CliIo,
  files: readonly string[],
  options: PublishOptions,
): Promise<void> {
  const outcomes: Outcome[] = [];
  for (const file of files) outcomes.push(await publishFile(client, io, file, options));
  print(io, options, { plugins: outcomes }, () => outcomes.flatMap(outcomeLines));
  for (const outcome of outcomes) {
    if (!("error" in outcome)) continue;
    io.exitCode = EXIT.error;
    if (!options.json) io.stderr(`error: ${outcome.error}`);
  }
}

/** A refused plugin does not keep the others from being published. */
async function publishFile(
  client: ControlClient,
  io: CliIo,
  file: string,
  { wait, upgrade }: PublishOptions,
): Promise<Outcome> {
  const { publishPlugin } = await import("../publishing/publish.ts");
  const progress = new ProgressLine(io);
  const onProgress = (text: string) => progress.show(text);
  const publishing = { wait, onProgress, ...upgrade && { upgrade } };
  try {
    return { file, plugin: await publishPlugin(client, resolve(io.cwd, file), publishing) };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { file, error: error.message };
  } finally {
    progress.clear();
  }
}

function isRefusal(error: unknown): error is Error {
  return error instanceof CliError || (error instanceof Error && error.name === "ControlError");
}

function outcomeLines(outcome: Outcome): string[] {
  if ("error" in outcome) return [];
  const { name, version, status, pattern, topics } = outcome.plugin;
  return [`${name}@${version} ${status}: ${pattern.join(", ")} → ${topics.join(", ")}`];
}
