/** The writing side of a program's sign of life: see protocol/health.ts. */
import { join } from "node:path";
import {
  HEALTH_BEAT_MS,
  HEALTH_FOLDER,
  type HealthRecord,
  type ProbedProgram,
} from "../protocol/health.ts";

/** What a program says of itself at a beat. */
export interface SignOfLife extends Pick<HealthRecord, "ready" | "because"> {
  /** When it last got something done, in milliseconds since the Unix epoch. */
  readonly atMs: number;
}

export class HealthFile {
  readonly #path: string;
  readonly #timer: ReturnType<typeof setInterval>;

  /** @param look Asked at each beat, and at once. */
  constructor(state: string, program: ProbedProgram, private readonly look: () => SignOfLife) {
    const folder = join(state, HEALTH_FOLDER);
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#path = join(folder, `${program}.json`);
    this.beat();
    this.#timer = setInterval(() => this.beat(), HEALTH_BEAT_MS);
  }

  beat(): void {
    const { atMs, ready, because } = this.look();
    this.#write(JSON.stringify({ pid: Deno.pid, ready, because } satisfies HealthRecord));
    // Also where the disk is full: that is no reason to end a program that waits for room.
    attempt(() => Deno.utimeSync(this.#path, atMs / 1000, atMs / 1000));
  }

  /** Safe to call twice. */
  stop(): void {
    clearInterval(this.#timer);
    attempt(() => Deno.removeSync(this.#path));
  }

  /** Whole or not at all, as it is read at any time. */
  #write(text: string): void {
    const aside = `${this.#path}.new`;
    attempt(() => {
      Deno.writeTextFileSync(aside, text, { mode: 0o600 });
      Deno.renameSync(aside, this.#path);
    });
  }
}

function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // It shows by itself: the file grows old, or stays a little longer than its program.
  }
}
