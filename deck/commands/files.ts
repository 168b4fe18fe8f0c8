import { type Command, Option } from "commander";
import type { Result } from "../../protocol/control.ts";
import type { CliIo } from "../../protocol/ports.ts";
import { FILE_FILTERS } from "../../protocol/records.ts";
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

type SourceFile = Result<"files.list">["files"][number];

interface FilesOptions extends ClientOptions {
  readonly only: typeof FILE_FILTERS[number];
  readonly root?: string;
  readonly limit: number;
  readonly after?: number;
}

export function addFiles(program: Command, io: CliIo): void {
  addClientCommand(program, "files", ["files --only arriving", "files --only unclaimed --json"])
    .addOption(
      new Option(
        "--only <which>",
        "arriving: not taken yet; unclaimed: no plugin takes them; noted: taken, but see why",
      ).choices(FILE_FILTERS).default("all"),
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
            remark(file),
          ]);
          return tableLines(io, [">FILE", ">SIZE", ">VERSIONS", "PATH", ""], rows);
        });
      })
    );
}

function remark({ problem, arriving, note, deleted_at_ms }: SourceFile): string {
  const waits = arriving === null ? null : `arriving: ${arriving}`;
  return problem ?? waits ?? note ?? (deleted_at_ms === null ? "" : "deleted");
}
