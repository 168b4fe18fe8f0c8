import { CliError } from "../../protocol/exit_codes.ts";
import { readSentinelFile } from "../sentinel_file.ts";
import { connect, type Connection } from "../wire.ts";
import type { ChildProgram } from "./child_program.ts";

const LOOK_MS = 25;
/** Migrating a large store may take its time. */
const READY_MS = 120_000;
const LIMITS = { helloMs: 30_000, callMs: 10_000 };

/**
 * Waits until this very sentinel has said where it listens, and connects to it.
 * @throws {CliError} If it does not in time. When it ends instead, its supervisor tells why.
 */
export async function linkTo(
  child: ChildProgram,
  state: string,
  signal: AbortSignal,
): Promise<Connection> {
  const endMs = performance.now() + READY_MS;
  while (performance.now() < endMs) {
    signal.throwIfAborted();
    const file = await readSentinelFile(state);
    if (file?.pid === child.pid) return await connect(file.address, LIMITS);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new CliError(`The sentinel was not ready within ${READY_MS / 1000} s: see ${state}/logs`);
}
