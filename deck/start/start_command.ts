import { type Command, InvalidArgumentError } from "commander";
import type { CliIo } from "../../protocol/ports.ts";
import { addCommand, texts, wholeNumber } from "../commands/client.ts";
import { type RootOptions, withRootOptions } from "../commands/root_options.ts";

export interface StartOptions extends RootOptions {
  readonly root?: string[];
  readonly plugin?: string[];
  readonly state: string;
  readonly output?: string;
  readonly database?: string;
  readonly listen?: string;
  readonly slots?: number;
  readonly map?: string[];
  readonly demo?: boolean;
  readonly once?: boolean;
  readonly json?: boolean;
  readonly insecureTcp?: boolean;
  readonly yesReally?: boolean;
}

const EXAMPLES = [
  "start --demo",
  "start --root data --plugin my_plugin.py --output tables",
  "start --root in=/mnt/share --plugin a.py --plugin b.py --once",
  "start --root in=/mnt/share --marker '*.done'",
  "start --database sqlite://db.sqlite3",
];

export function addStart(program: Command, io: CliIo): void {
  const command = addCommand(program, "start", EXAMPLES)
    .option("--root <dir>", "watch this folder, or NAME=DIR; may be repeated", texts);
  withRootOptions(command)
    .option("--plugin <file>", "publish this plugin; may be repeated", texts)
    .option("--output <dir>", "where tables land (default: output in the state folder)")
    .option("--state <dir>", "where everything else is kept", ".casparian")
    .option("--database <url>", "sqlite://PATH (default: in the state folder)")
    .option("--slots <number>", "jobs at the same time (default: one a core)", wholeNumber(1, 1024))
    .option("--map <name=dir>", "where parquet://NAME/ is on this host; may be repeated", texts)
    .option("--listen <address>", "the sentinel's address, for workers on other hosts")
    .option("--insecure-tcp", "allow plain TCP beyond this machine, with --yes-really")
    .option("--yes-really", "see --insecure-tcp")
    .option("--deck <address>", "only 'off': this version has no dashboard", onlyOff, "off")
    .option("--demo", "also the demo's plugins, on the demo's files")
    .option("--once", "end when nothing is left to do: 0 if all went well, 3 if files failed")
    .option("--json", "print the summary as JSON")
    .action(async (options: StartOptions) => {
      const { start } = await import("./start.ts");
      await start(io, options);
    });
}

function onlyOff(text: string): string {
  if (text === "off") return text;
  throw new InvalidArgumentError("It must be 'off': this version has no dashboard.");
}
