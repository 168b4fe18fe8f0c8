/** The commands that make something to be carried to another host: not part of what is carried. */
import { type Command, Option } from "commander";
import { summaryOf } from "../../protocol/commands.ts";
import type { CliIo } from "../../protocol/ports.ts";
import { pythonEnvironment } from "../python_environment.ts";
import type { BundleOptions } from "./bundle.ts";
import type { CompileOptions } from "./compile.ts";

export function addPortableCommands(program: Command, io: CliIo): void {
  addBundle(program, io);
  addCompile(program, io);
}

const BUNDLE_EXAMPLES = `
Examples:
  casparian bundle                                     the whole product, in dist/
  casparian bundle --only worker --with-uv --to /srv   a worker, for a site without a package index

It holds Deno, our code, its packages, libzmq and the shim, for this platform. On its host it needs a
POSIX shell and Python, writes nothing beside itself and asks for nothing from the network.`;

function addBundle(program: Command, io: CliIo): void {
  program.command("bundle").description(summaryOf("bundle"))
    .addOption(new Option("--only <part>", "not the whole product").choices(["worker"]))
    .option("--to <dir>", "where the folder and the archive go (default: dist in the project)")
    .option("--with-uv", "take uv along, which is else installed from a package index")
    .option("--json", "print JSON")
    .addHelpText("after", BUNDLE_EXAMPLES)
    .action(async (options: BundleOptions) => {
      const { bundle } = await import("./bundle.ts");
      await bundle(options, io, pythonEnvironment((name) => io.env(name)));
    });
}

const COMPILE_EXAMPLES = `
Examples:
  casparian compile
  casparian compile --target aarch64-unknown-linux-gnu
  casparian compile -- --connect tcp://sentinel:5555 --state /var/lib/casparian --output /srv/tables

What follows -- is what the worker is always started with. Folders named there are all that it may write
to; without them it may write anywhere, as permissions are fixed when it is made.`;

function addCompile(program: Command, io: CliIo): void {
  program.command("compile").description(summaryOf("compile"))
    .argument("[worker-options...]", "after --: the worker's own options")
    .option("--to <dir>", "where it goes (default: dist in the project)")
    .option("--target <triple>", "the platform that it is for, as Deno names it")
    .option("--json", "print JSON")
    .addHelpText("after", COMPILE_EXAMPLES)
    .action(async (workerOptions: string[], options: CompileOptions) => {
      const { compile } = await import("./compile.ts");
      await compile(workerOptions, options, io);
    });
}
