/** The file of one attempt while it is written; on any failure nothing of it stays behind. */
import { dirname } from "node:path";
import { syncDirectory } from "./directory_sync.ts";
import { removeIfThere } from "./promote.ts";
import { SinkError } from "./sink.ts";

export class StagedFile {
  bytes = 0;
  readonly #file: Deno.FsFile;

  /** @throws {SinkError} If it can't be created. */
  constructor(readonly path: string) {
    this.#file = this.#attempt(() => createWithFolder(path));
  }

  write(bytes: Uint8Array): void {
    this.#attempt(() => {
      for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    });
    this.bytes += bytes.length;
  }

  /** The last `bytes` bytes. */
  tail(bytes: number): Uint8Array {
    const tail = new Uint8Array(bytes);
    this.#attempt(() => {
      this.#file.seekSync(this.bytes - bytes, Deno.SeekMode.Start);
      for (let at = 0; at < bytes;) at += this.#file.readSync(tail.subarray(at)) ?? bytes;
    });
    return tail;
  }

  /** Replaces everything from `at` on. */
  replaceTail(at: number, tail: Uint8Array): void {
    this.#attempt(() => {
      this.#file.truncateSync(at);
      this.#file.seekSync(at, Deno.SeekMode.Start);
    });
    this.bytes = at;
    this.write(tail);
  }

  /** Resolves when the file, and its name in the folder, survive a power cut. */
  async commit(): Promise<void> {
    try {
      await this.#file.sync(); // asynchronous: other outputs are encoded meanwhile
      this.#file.close();
      await syncDirectory(dirname(this.path));
    } catch (error) {
      throw this.#error(error);
    }
  }

  async discard(): Promise<void> {
    try {
      this.#file.close();
    } catch {
      // Closed before: a commit that failed half-way.
    }
    await removeIfThere(this.path);
  }

  #attempt<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw this.#error(error);
    }
  }

  #error(cause: unknown): SinkError {
    const why = (cause as Error).message.replace(/ \(os error \d+\).*/, "");
    const next = /space|quota/i.test(why) ? "; free space there, or choose another output" : "";
    return new SinkError(`Cannot write ${this.path}: ${why}${next}`, { cause, retryable: true });
  }
}

function createWithFolder(path: string): Deno.FsFile {
  const options = { read: true, write: true, create: true, truncate: true };
  try {
    return Deno.openSync(path, options);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    Deno.mkdirSync(dirname(path), { recursive: true });
    return Deno.openSync(path, options);
  }
}
