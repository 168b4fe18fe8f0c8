import type { Command } from "commander";
import type { CliIo } from "../../protocol/ports.ts";
import { counted, duration } from "../terminal/quantities.ts";
import { addClientCommand, type ClientOptions, print, withSentinel } from "./client.ts";

export function addScan(program: Command, io: CliIo): void {
  addClientCommand(program, "scan", ["scan", "scan data"])
    .argument("[root]", "only this root, by its name; without it: all")
    .action((root: string | undefined, options: ClientOptions) =>
      withSentinel(io, options, async (client) => {
        const seen = await client.call("scan.run", root === undefined ? {} : { root });
        print(io, options, seen, () => [
          `${counted(seen.files, "file")} in ${counted(seen.folders, "folder")}, ` +
          `${seen.unsettled} still arriving, ${counted(seen.problems, "problem")}, ` +
          `${duration(seen.duration_ms)}`,
        ]);
      })
    );
}
