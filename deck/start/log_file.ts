import { join } from "node:path";

/** At this size the file becomes `.1`, and the `.1` before it is gone: at most twice as much is kept. */
const LOG_BYTES_MAX = 10 * 1024 * 1024;

/** Where the lines of one program go, also across its restarts. */
export class LogFile {
  readonly path: string;
  readonly #encoder = new TextEncoder();
  #file: Deno.FsFile;
  #bytes: number;

  constructor(folder: string, name: string, private readonly bytesMax = LOG_BYTES_MAX) {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.path = join(folder, `${name}.log`);
    this.#file = this.#open();
    this.#bytes = this.#file.statSync().size;
  }

  write(line: string): void {
    const bytes = this.#encoder.encode(`${line}\n`);
    if (this.#bytes + bytes.length > this.bytesMax && this.#bytes > 0) this.#rotate();
    this.#bytes += bytes.length;
    this.#file.writeSync(bytes);
  }

  close(): void {
    this.#file.close();
  }

  #rotate(): void {
    this.#file.close();
    Deno.renameSync(this.path, `${this.path}.1`);
    this.#file = this.#open();
    this.#bytes = 0;
  }

  #open(): Deno.FsFile {
    return Deno.openSync(this.path, { create: true, append: true, mode: 0o600 });
  }
}
