/** What all client commands share: how they find the sentinel, their options, how they print. */
import { type Command, InvalidArgumentError } from "commander";
import { join, resolve } from "node:path";
import { checkAddress } from "../../protocol/address.ts";
import { summaryOf } from "../../protocol/commands.ts";
import type { ControlClient } from "../../protocol/control.ts";
import { CliError } from "../../protocol/exit_codes.ts";
import type { CliIo } from "../../protocol/ports.ts";
import { table } from "../terminal/table.ts";

export interface ClientOptions {
  readonly state: string;
  readonly connect?: string;
  readonly insecureTcp?: boolean;
  readonly yesReally?: boolean;
  readonly json?: boolean;
}

/** A command of the one list, with examples below its help. */
export function addCommand(program: Command, name: string, examples: readonly string[]): Command {
  return program.command(name).description(summaryOf(name)).addHelpText(
    "after",
    `\nExamples:\n${examples.map((example) => `  casparian ${example}`).join("\n")}`,
  );
}

/** The options by which any client finds its sentinel and prints. */
export function withClientOptions(command: Command): Command {
  return command
    .option("--state <dir>", "state folder of the sentinel", ".casparian")
    .option("--connect <address>", "its address instead: tcp://HOST:PORT or ipc://PATH")
    .option("--insecure-tcp", "allow plain TCP beyond this machine, with --yes-really")
    .option("--yes-really", "see --insecure-tcp")
    .option("--json", "print JSON");
}

export function addClientCommand(
  program: Command,
  name: string,
  examples: readonly string[],
): Command {
  return withClientOptions(addCommand(program, name, examples));
}

/** Connects, does the work, closes. ZeroMQ and the schemas load only here, so `--help` stays quick. */
export async function withSentinel<T>(
  io: CliIo,
  options: ClientOptions,
  work: (client: ControlClient) => Promise<T>,
): Promise<T> {
  const address = await sentinelAddress(io, options);
  const { connect } = await import("../wire.ts");
  const { client, close } = await connect(address);
  try {
    return await work(client);
  } finally {
    await close();
  }
}

async function sentinelAddress(io: CliIo, options: ClientOptions): Promise<string> {
  if (options.connect !== undefined) {
    const warning = checkAddress(options.connect, options);
    if (warning) io.stderr(`warning: ${warning}`);
    return options.connect;
  }
  const state = resolve(io.cwd, options.state);
  const { readSentinelFile } = await import("../sentinel_file.ts");
  const file = await readSentinelFile(state);
  if (file !== null) return file.address;
  throw new CliError(
    `Cannot find a sentinel as ${join(state, "sentinel.json")} is not there: start one with ` +
      "`casparian start`, or name one with --state DIR or --connect ADDRESS",
  );
}

/** Prints `value` as JSON where that was asked for, else the lines. */
export function print(
  io: CliIo,
  options: Pick<ClientOptions, "json">,
  value: unknown,
  lines: () => readonly string[],
): void {
  if (options.json) return io.stdout(JSON.stringify(value, null, 2));
  for (const line of lines()) io.stdout(line);
}

/** A table as wide as the terminal; in a pipe nothing is cut, as nobody can widen it later. */
export function tableLines(
  io: CliIo,
  titles: readonly string[],
  rows: readonly (readonly string[])[],
): string[] {
  return table(titles, rows, io.isTerminal ? io.columns : Infinity);
}

/** For options and arguments that are whole numbers within bounds. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^-?\d+$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** As {@link wholeNumber}, or one word that stands for null: "none", "default". */
export function wordOrNumber(
  word: string,
  min: number,
  max: number,
): (text: string) => number | null {
  const number = wholeNumber(min, max);
  return (text) => {
    if (text === word) return null;
    try {
      return number(text);
    } catch {
      const rule = `It must be a whole number from ${min} to ${max}, or "${word}".`;
      throw new InvalidArgumentError(rule);
    }
  };
}

export const rowId = wholeNumber(1, Number.MAX_SAFE_INTEGER);

/** For arguments that may be given more than once. */
export function rowIds(text: string, before: number[] | undefined): number[] {
  return [...before ?? [], rowId(text)];
}

export function texts(text: string, before: string[] | undefined): string[] {
  return [...before ?? [], text];
}
