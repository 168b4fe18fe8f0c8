/** The commands of this room. */
import type { Command } from "commander";
import { summaryOf } from "../protocol/commands.ts";
import { lineLogger } from "../protocol/log_line.ts";
import type { CliIo } from "../protocol/ports.ts";
import type { SentinelOptions } from "./config.ts";

const EXAMPLES = `
Examples:
  casparian sentinel --root data                              on this machine, by a Unix socket
  casparian sentinel --listen tcp://127.0.0.1:5555 --root in=/mnt/in
  casparian sentinel --database sqlite://db.sqlite3

Workers join it with: casparian worker --connect ADDRESS`;

export function addSentinelCommands(program: Command, io: CliIo): void {
  program.command("sentinel").description(summaryOf("sentinel"))
    .option("--listen <address>", "ipc://PATH or tcp://HOST:PORT (default: a socket in the state)")
    .option("--database <url>", "sqlite://PATH (default: in the state folder)")
    .option("--state <dir>", "database, sockets, where others find it", ".casparian")
    .option("--root <dir>", "watch this folder, or NAME=DIR; may be repeated", collect)
    .option("--root-rules <json>", "how files arrive, as roots set does: {FOLDER: {settle_ms: …}}")
    .option("--output <dir>", "a folder of tables, which is no source even inside a root")
    .option("--insecure-tcp", "allow plain TCP beyond this machine, with --yes-really")
    .option("--yes-really", "see --insecure-tcp")
    .option("--exit-with-stdin", "end when standard input does: for a parent that may be killed")
    .addHelpText("after", EXAMPLES)
    .action(async (options: SentinelOptions) => {
      const { runSentinel } = await import("./sentinel_command.ts");
      const clock = { nowMs: () => Date.now() };
      const logger = lineLogger((line) => io.stderr(line), clock);
      io.exitCode = await runSentinel(options, { io, clock, logger, jitter: Math.random });
    });
}

function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}
