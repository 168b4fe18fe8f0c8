import { type Command, Option } from "commander";
import type { ControlClient } from "../../protocol/control.ts";
import type { CliIo } from "../../protocol/ports.ts";
import { bytes, count } from "../terminal/quantities.ts";
import {
  addCommand,
  type ClientOptions,
  print,
  tableLines,
  withClientOptions,
  withSentinel,
} from "./client.ts";

interface SetOptions extends ClientOptions {
  readonly uri?: string;
  readonly mode: "append" | "replace" | "error";
}

export function addTopics(program: Command, io: CliIo): void {
  const topics = addCommand(program, "topics", [
    "topics",
    "topics set sales --mode append",
  ]);
  withClientOptions(topics.command("list", { isDefault: true }))
    .description("List topics and what has landed in them")
    .action((options: ClientOptions) =>
      withSentinel(io, options, (client) => listTopics(client, io, options))
    );
  withClientOptions(topics.command("set"))
    .description("Say where a topic is written, and what happens to what a file wrote before")
    .argument("<topic>")
    .option("--uri <uri>", "its folder; by default one of its own in the output folder")
    .addOption(
      new Option("--mode <mode>", "keep all, the newest version's only, or refuse a second one")
        .choices(["append", "replace", "error"]).default("replace"),
    )
    .action((topic: string, options: SetOptions) =>
      withSentinel(io, options, async (client) => {
        const { uri, mode } = options;
        await client.call("topics.set", { topic, mode, ...uri === undefined ? {} : { uri } });
        await listTopics(client, io, options);
      })
    );
}

async function listTopics(
  client: ControlClient,
  io: CliIo,
  options: ClientOptions,
): Promise<void> {
  const list = await client.call("topics.list", {});
  print(io, options, list, () => {
    if (list.topics.length === 0) return ["no topics yet"];
    const rows = list.topics.map((topic) => [
      topic.topic,
      topic.mode,
      count(topic.files),
      count(topic.rows),
      bytes(topic.bytes),
      topic.uri,
    ]);
    return tableLines(io, ["TOPIC", "MODE", ">FILES", ">ROWS", ">SIZE", "WHERE"], rows);
  });
}
