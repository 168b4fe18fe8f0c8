import type { Command } from "commander";
import type { ControlClient, Result } from "../../protocol/control.ts";
import { CliError } from "../../protocol/exit_codes.ts";
import type { CliIo } from "../../protocol/ports.ts";
import { ago } from "../terminal/quantities.ts";
import {
  addCommand,
  type ClientOptions,
  print,
  tableLines,
  withClientOptions,
  withSentinel,
} from "./client.ts";

type Worker = Result<"workers.list">["workers"][number];

export function addWorkers(program: Command, io: CliIo): void {
  const workers = addCommand(program, "workers", [
    "workers",
    "workers drain host-3f2a",
    "workers resume host-3f2a",
  ]);
  withClientOptions(workers.command("list", { isDefault: true }))
    .description("List the workers")
    .action((options: ClientOptions) =>
      withSentinel(io, options, (client) => listWorkers(client, io, options))
    );
  addDrain(workers, io, "drain", "Give a worker no new jobs; what it has it finishes");
  addDrain(workers, io, "resume", "Give a drained worker jobs again");
}

function addDrain(workers: Command, io: CliIo, name: "drain" | "resume", what: string): void {
  withClientOptions(workers.command(name))
    .description(what)
    .argument("<id>", "the worker's id, or its beginning if no other begins so")
    .action((beginning: string, options: ClientOptions) =>
      withSentinel(io, options, async (client) => {
        const { workers } = await client.call("workers.list", {});
        const worker = theOne(workers, beginning);
        await client.call("workers.drain", { worker, draining: name === "drain" });
        await listWorkers(client, io, options);
      })
    );
}

/** A worker that is away now is not in the list, so an id that nobody has is taken as it stands. */
function theOne(workers: readonly Worker[], beginning: string): string {
  const found = workers.map(({ id }) => id).filter((id) => id.startsWith(beginning));
  if (found.includes(beginning) || found.length === 0) return beginning;
  if (found.length === 1) return found[0]!;
  throw new CliError(
    `Cannot tell which worker '${beginning}' is, as ${found.length} begin so: ${found.join(", ")}`,
  );
}

async function listWorkers(
  client: ControlClient,
  io: CliIo,
  options: ClientOptions,
): Promise<void> {
  const list = await client.call("workers.list", {});
  print(io, options, list, () => {
    if (list.workers.length === 0) return ["no workers: casparian worker --connect ADDRESS"];
    const nowMs = io.nowMs();
    const rows = list.workers.map((worker) => [
      worker.id,
      stateOf(worker),
      `${worker.running}/${worker.slots}`,
      `${worker.environments.length}`,
      worker.host,
      ago(worker.last_seen_ms, nowMs),
      worker.sandbox,
    ]);
    const titles = ["WORKER", "STATE", ">RUNNING", ">ENVS", "HOST", "SEEN", "SANDBOX"];
    return tableLines(io, titles, rows);
  });
}

function stateOf({ connected, draining, running }: Worker): string {
  if (!connected) return "gone";
  if (!draining) return "connected";
  return running > 0 ? "draining" : "drained";
}
