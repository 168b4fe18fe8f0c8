/**
 * The front door: finds the command, imports its room and nothing else, maps errors to exit codes.
 *
 * A client command runs here. A program (start, sentinel, worker, ...) is started again by the same Deno
 * with exactly its own permissions, and this process only waits for it: see security/permissions.ts.
 */
import { Command, CommanderError } from "commander";
import { type CommandEntry, COMMANDS } from "./protocol/commands.ts";
import { CliError, EXIT } from "./protocol/exit_codes.ts";
import type { CliIo, StopSignal } from "./protocol/ports.ts";
import { RELEASE } from "./protocol/release.ts";

const ROOMS = {
  deck: async () => (await import("./deck/main.ts")).addDeckCommands,
  sentinel: async () => (await import("./sentinel/main.ts")).addSentinelCommands,
  worker: async () => (await import("./worker/main.ts")).addWorkerCommands,
};

const EXAMPLES = `
Examples:
  casparian start --demo                              the demo, until Ctrl-C
  casparian start --root data --plugin my_plugin.py   your own files
  casparian run my_plugin.py data/weird.csv           try a plugin, no server needed
  casparian jobs --status FAILED                      what went wrong

Exit codes: 0 ok, 1 error, 2 wrong usage, 3 some files failed, 130 interrupted.
CASPARIAN_DEBUG=1 shows where an error came from.`;

/** Ctrl-C reaches a program twice when both the terminal and its parent hand it on. */
const SAME_SIGNAL_MS = 300;
const COLUMNS_WITHOUT_TERMINAL = 100;

async function main(io: CliIo): Promise<void> {
  const entry = COMMANDS.find(({ name }) => name === io.args[0]);
  if (entry === undefined) return void await rootCommand(io).parseAsync([...io.args], FROM_USER);
  if (!isHere(entry)) throw notHere(entry);
  const asksHelp = io.args.some((arg) => arg === "--help" || arg === "-h");
  if (entry.program && !inPlace && !asksHelp) return await launch(entry, io);
  if (!entry.program) Deno.permissions.revokeSync({ name: "run" });
  await runInRoom(entry, io);
}

const FROM_USER = { from: "user" } as const;

/** A bundle may hold a part of the product only. */
function isHere({ file }: CommandEntry): boolean {
  try {
    return Deno.statSync(new URL(file, import.meta.url)).isFile;
  } catch {
    return false;
  }
}

function notHere({ name, file }: CommandEntry): CliError {
  const folder = decodeURI(new URL(".", import.meta.url).pathname);
  return new CliError(
    `Cannot run '${name}' as this bundle is without it: ${file} is not in ${folder}. Use the bundle of ` +
      "the whole product, or the project itself",
  );
}

async function runInRoom(entry: CommandEntry, io: CliIo): Promise<void> {
  const program = newProgram(io);
  const addCommands = await ROOMS[entry.room]();
  await addCommands(program, io);
  await program.parseAsync([...io.args], FROM_USER);
}

/** Starts the program with its permissions; hands on signals, and what it ends with. */
async function launch(entry: CommandEntry, io: CliIo): Promise<void> {
  const { launchArguments } = await import("./security/launch.ts");
  const args = launchArguments(entry.name as "start", io.args.slice(1), io.cwd);
  const child = new Deno.Command(Deno.execPath(), { args }).spawn();
  io.onInterrupt((signal) => child.kill(signal));
  const { code } = await child.status;
  io.exitCode = code;
}

/** All commands by name and summary only. */
function rootCommand(io: CliIo): Command {
  const program = newProgram(io)
    .description("Turns folders of odd files into tables you can trust.")
    .version(RELEASE)
    .helpCommand("help [command]", "Show help for a command")
    .addHelpText("after", EXAMPLES);
  for (const { name, group, summary } of COMMANDS.filter(isHere)) {
    program.command(name).description(summary).helpGroup(group).usage(" ");
  }
  return program;
}

function newProgram(io: CliIo): Command {
  return new Command("casparian").exitOverride().configureOutput({
    writeOut: (text) => io.stdout(text.trimEnd()),
    writeErr: (text) => io.stderr(text.trimEnd()),
    getOutHelpWidth: () => io.columns,
    getErrHelpWidth: () => io.columns,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
}

/** Tells the error to the user and gives the exit code. */
function report(error: unknown, io: CliIo): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage; // it told
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  io.stderr(io.env("CASPARIAN_DEBUG") === "1" ? stack ?? message : `error: ${message}`);
  return error instanceof CliError ? error.exitCode : EXIT.error;
}

class ProcessIo implements CliIo {
  readonly cwd = this.env("INIT_CWD") || Deno.cwd();
  readonly isTerminal = Deno.stdout.isTerminal() && Deno.stderr.isTerminal();
  exitCode: number = EXIT.ok;

  constructor(readonly args: readonly string[]) {}

  env(name: string): string | undefined {
    return Deno.env.get(name);
  }

  nowMs(): number {
    return Date.now();
  }

  stdout(line: string): void {
    writeAll(Deno.stdout, `${line}\n`);
  }

  stderr(line: string): void {
    writeAll(Deno.stderr, `${line}\n`);
  }

  draw(text: string): void {
    writeAll(Deno.stderr, text);
  }

  get columns(): number {
    return this.isTerminal ? Deno.consoleSize().columns : COLUMNS_WITHOUT_TERMINAL;
  }

  onInterrupt(callback: (signal: StopSignal) => void): () => void {
    const off = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => {
      let lastMs = -Infinity;
      const listener = () => {
        const again = performance.now() - lastMs < SAME_SIGNAL_MS;
        lastMs = performance.now();
        if (!again) callback(signal === "SIGINT" ? "SIGINT" : "SIGTERM");
      };
      Deno.addSignalListener(signal, listener);
      return () => Deno.removeSignalListener(signal, listener);
    });
    return () => off.forEach((remove) => remove());
  }
}

function writeAll(output: typeof Deno.stdout, text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(output.writeSync(bytes));
  } catch (error) {
    // Whoever read us is gone (`casparian jobs | head`): end as if asked to, so that programs clean up.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    if (output === Deno.stdout) Deno.kill(Deno.pid, "SIGTERM");
  }
}

const inPlace = Deno.args[0] === "--in-place";
const args = inPlace ? Deno.args.slice(1) : Deno.args;
const io = new ProcessIo(args[0] === "help" && args[1] ? [args[1], "--help"] : args);

function end(error: unknown): never {
  Deno.exit(report(error, io));
}
globalThis.addEventListener("unhandledrejection", (event) => end(event.reason));
globalThis.addEventListener("error", (event) => end(event.error));

await main(io).catch(end);
Deno.exit(io.exitCode);
