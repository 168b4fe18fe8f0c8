/**
 * One file, open to be read: its first and last bytes, and all of them from the beginning. What fits into
 * one chunk is read once, whoever asks for it.
 */
import { createHash, hash } from "node:crypto";

export interface Reading extends Disposable {
  /** The first bytes, up to HEAD_BYTES; valid until `read` is called. */
  head(): Uint8Array;
  /** All bytes, if they fit into one chunk; valid until the next call. */
  whole(): Uint8Array | null;
  /** The last bytes as of now, up to so many. A copy. */
  tail(bytesMax: number): Uint8Array;
  /**
   * Hands over all bytes, in chunks that are valid until `take` resolves. Memory is one chunk.
   * @param take Its `false` ends the reading.
   * @param breathe Awaited after every chunk, so that the thread can hear; what it throws ends the reading.
   */
  read(take: TakeChunk, breathe: () => Promise<void>): Promise<void>;
}

export type TakeChunk = (chunk: Uint8Array) => boolean | Promise<boolean>;

const CHUNK_BYTES = 1 << 20;
export const HEAD_BYTES = 4096;

/** @returns Opens a file; all that it opens share one chunk, so one is read at a time. */
export function openReading(): (path: string) => Reading {
  const chunk = new Uint8Array(CHUNK_BYTES);
  return (path) => new FileReading(Deno.openSync(path), chunk);
}

class FileReading implements Reading {
  readonly #file: Deno.FsFile;
  readonly #chunk: Uint8Array;
  /** How many of the file's first bytes the chunk holds; null while it holds others. */
  #firstBytes: number | null = null;
  #wasRead = false;

  constructor(file: Deno.FsFile, chunk: Uint8Array) {
    this.#file = file;
    this.#chunk = chunk;
  }

  head(): Uint8Array {
    return this.#first().subarray(0, HEAD_BYTES);
  }

  whole(): Uint8Array | null {
    const first = this.#first();
    return first.length < CHUNK_BYTES ? first : null;
  }

  tail(bytesMax: number): Uint8Array {
    const whole = this.whole();
    if (whole !== null) return whole.slice(-bytesMax);
    const size = this.#file.seekSync(0, Deno.SeekMode.End);
    const bytes = new Uint8Array(bytesMax);
    this.#file.seekSync(Math.max(0, size - bytesMax), Deno.SeekMode.Start);
    return bytes.subarray(0, this.#fill(bytes));
  }

  async read(take: TakeChunk, breathe: () => Promise<void>): Promise<void> {
    let { length } = this.#first();
    if (length === CHUNK_BYTES) this.#file.seekSync(length, Deno.SeekMode.Start);
    while (length > 0) {
      const goesOn = await take(this.#chunk.subarray(0, length));
      await breathe();
      if (!goesOn || length < CHUNK_BYTES) return;
      this.#firstBytes = null;
      length = this.#fill(this.#chunk);
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  #first(): Uint8Array {
    if (this.#firstBytes === null) {
      if (this.#wasRead) this.#file.seekSync(0, Deno.SeekMode.Start);
      this.#wasRead = true;
      this.#firstBytes = this.#fill(this.#chunk);
    }
    return this.#chunk.subarray(0, this.#firstBytes);
  }

  /** Reads until there is no room or nothing more: one read may give less than there is. */
  #fill(into: Uint8Array): number {
    let length = 0;
    while (length < into.length) {
      const bytes = this.#file.readSync(into.subarray(length));
      if (bytes === null || bytes === 0) break;
      length += bytes;
    }
    return length;
  }
}

/** SHA-256 of all bytes, lower-case hex. @param breathe See {@link Reading.read}. */
export async function hashAll(reading: Reading, breathe: () => Promise<void>): Promise<string> {
  const whole = reading.whole();
  if (whole !== null) {
    await breathe();
    return hash("sha256", whole, "hex"); // a third faster than in steps
  }
  const sha256 = createHash("sha256");
  const update = (chunk: Uint8Array) => {
    sha256.update(chunk);
    return true;
  };
  await reading.read(update, breathe);
  return sha256.digest("hex");
}

/** Bytes that tell whether the end of a file has changed, in whatever is written from front to back. */
const TAIL_BYTES = 4096;

export function tailFingerprint(reading: Reading): string {
  return hash("sha256", reading.tail(TAIL_BYTES), "base64");
}
