/** The commands of this room; each loads its parts only when it runs, so that `--help` is quick. */
import type { Command } from "commander";
import { summaryOf } from "../protocol/commands.ts";
import { lineLogger } from "../protocol/log_line.ts";
import type { CliIo, Clock, Logger } from "../protocol/ports.ts";
import { addDoctor } from "./doctor.ts";
import { addHealth } from "./health.ts";
import { pythonEnvironment } from "./python_environment.ts";
import type { Surroundings } from "./worker_command.ts";

export async function addWorkerCommands(program: Command, io: CliIo): Promise<void> {
  if (io.args[0] === "bundle" || io.args[0] === "compile") {
    const { addPortableCommands } = await import("./portable/commands.ts");
    return addPortableCommands(program, io);
  }
  addWorker(program, io);
  addRun(program, io);
  addDoctor(program, io, pythonEnvironment((name) => io.env(name)));
  addHealth(program, io);
}

const WORKER_EXAMPLES = `
Examples:
  casparian worker                                     for the sentinel of ./.casparian
  casparian worker --connect tcp://localhost:5555      for another one
  casparian worker --slots 4 --map lake=/mnt/lake      4 jobs at a time; parquet://lake/… is there
  casparian worker --map in=/data --map output=/out    the sentinel's root 'in', and parquet://output/…

Ctrl-C lets running jobs end; a second Ctrl-C ends them, and the sentinel gives them to others.`;

function addWorker(program: Command, io: CliIo): void {
  program.command("worker").description(summaryOf("worker"))
    .option("--connect <address>", "the sentinel: ipc://PATH or tcp://HOST:PORT")
    .option("--state <dir>", "environments, sockets; where the sentinel is found", ".casparian")
    .option("--output <dir>", "where tables land (default: output in the state folder)")
    .option("--slots <n>", "jobs at a time (default: one for each core)")
    .option("--map <name=dir>", "where root or output NAME is on this host; repeatable", collect)
    .option("--sandbox <grade>", "refuse to run below this grade: A, B or C", "C")
    .option("--drain-timeout <s>", "how long running jobs may take to end at a stop", "30")
    .option("--insecure-tcp", "allow plain TCP beyond this machine")
    .option("--yes-really", "say so twice")
    .option("--run-dir <dir>", "sockets and scratch folders of this start")
    .option("--exit-with-stdin", "end when standard input does: for a parent that may be killed")
    .option("--json", "log lines as JSON")
    .addHelpText("after", WORKER_EXAMPLES)
    .action(async (options: { json?: boolean }) => {
      const { runWorker } = await import("./worker_command.ts");
      io.exitCode = await runWorker(options, surroundings(io, options.json ?? false));
    });
}

const RUN_EXAMPLES = `
Examples:
  casparian run my_plugin.py data/weird.csv            schema, first rows, speed, memory
  casparian run my_plugin.py data/*.csv --rows 3       on several files
  casparian run my_plugin.py a.csv --json              a line of JSON for each file

Nothing is stored but the plugin's environment. Exit codes: 0 ok, 1 the plugin cannot be used,
3 it failed on some of the files.`;

function addRun(program: Command, io: CliIo): void {
  program.command("run").description(summaryOf("run"))
    .argument("<plugin>", "a Python file with a MANIFEST and a class Handler")
    .argument("<files...>", "the files to run it on")
    .option("--rows <n>", "rows to show of each topic", "10")
    .option("--timeout <s>", "end the plugin after this (default: its MANIFEST's timeout_s)")
    .option("--state <dir>", "where environments are kept", ".casparian")
    .option("--upgrade", "lock the dependencies afresh")
    .option("--run-dir <dir>", "sockets and scratch folders of this start")
    .option("--json", "a line of JSON for each file")
    .addHelpText("after", RUN_EXAMPLES)
    .action(async (plugin: string, files: string[], options: { json?: boolean }) => {
      const { runPlugin } = await import("./run_command.ts");
      const around = surroundings(io, options.json ?? false);
      io.exitCode = await runPlugin(plugin, files, options, around);
    });
}

function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}

/** The real clock, chance and environment: only here. */
function surroundings(io: CliIo, json: boolean): Surroundings {
  const clock = { nowMs: () => Date.now() };
  return {
    io,
    clock,
    random: { next: () => Math.random() },
    logger: json ? jsonLogger(clock, io) : lineLogger((line) => io.stderr(line), clock),
    startId: crypto.randomUUID().slice(0, 8),
    environment: pythonEnvironment((name) => io.env(name)),
  };
}

function jsonLogger(clock: Clock, io: CliIo): Logger {
  return {
    log: (level, message, fields = {}) => {
      const time = new Date(clock.nowMs()).toISOString();
      io.stderr(JSON.stringify({ time, level, message, ...fields }));
    },
  };
}
