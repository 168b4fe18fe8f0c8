import { type Command, Option } from "commander";
import type { CliIo } from "../../protocol/ports.ts";
import { bytes } from "../terminal/quantities.ts";
import {
  addClientCommand,
  type ClientOptions,
  print,
  rowId,
  tableLines,
  wholeNumber,
  withSentinel,
} from "./client.ts";

interface FilesOptions extends ClientOptions {
  readonly only: "all" | "problems" | "unclaimed" | "deleted";
  readonly root?: string;
  readonly limit: number;
  readonly after?: number;
}

export function addFiles(program: Command, io: CliIo): void {
  addClientCommand(program, "files", ["files --only problems", "files --only unclaimed --json"])
    .addOption(
      new Option("--only <which>", "unclaimed: no plugin takes them")
        .choices(["all", "problems", "unclaimed", "deleted"]).default("all"),
    )
    .option("--root <name>", "only this root's")
    .option("--limit <number>", "at most so many", wholeNumber(1, 1000), 50)
    .option("--after <id>", "continue after this file", rowId)
    .action((options: FilesOptions) =>
      withSentinel(io, options, async (client) => {
        const { only, root, limit, after } = options;
        const list = await client.call("files.list", {
          only,
          limit,
          ...root === undefined ? {} : { root },
          ...after === undefined ? {} : { after },
        });
        print(io, options, list, () => {
          if (list.files.length === 0) return ["no such files"];
          const rows = list.files.map((file) => [
            `${file.id}`,
            bytes(file.size),
            `${file.versions}`,
            `${file.root}/${file.path}`,
            file.problem ?? (file.deleted_at_ms === null ? "" : "deleted"),
          ]);
          return tableLines(io, [">FILE", ">SIZE", ">VERSIONS", "PATH", ""], rows);
        });
      })
    );
}
