import { join } from "node:path";
import { CliError } from "../../protocol/exit_codes.ts";

/**
 * Makes the state folder, for this user only, and takes it for this process.
 *
 * The lock is the kernel's: it goes with the process, however that ends, so no stale file ever has to
 * be removed by hand. The process id in the file is only there to be told to people.
 *
 * @returns What gives the folder free again.
 * @throws {CliError} If another `start` has it, or it cannot be made.
 */
export async function takeStateFolder(state: string): Promise<Disposable> {
  try {
    await Deno.mkdir(state, { recursive: true, mode: 0o700 });
    const file = await Deno.open(join(state, "start.lock"), {
      create: true,
      read: true,
      write: true,
    });
    if (await file.tryLock(true)) return holding(file);
    const holder = await readHolder(file);
    file.close();
    throw new CliError(
      `Cannot start as ${state} is in use by another \`casparian start\`${holder}: ` +
        "stop that one, or name another folder with --state",
    );
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(`Cannot use ${state} as the state folder: ${(error as Error).message}`);
  }
}

async function holding(file: Deno.FsFile): Promise<Disposable> {
  await file.truncate();
  await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  return { [Symbol.dispose]: () => file.close() };
}

async function readHolder(file: Deno.FsFile): Promise<string> {
  const bytes = new Uint8Array(32);
  const count = await file.read(bytes) ?? 0;
  const pid = new TextDecoder().decode(bytes.subarray(0, count)).trim();
  return pid === "" ? "" : ` (process ${pid})`;
}
