/**
 * A child program that is started again when it dies.
 *
 *     running ──dies──► waiting (0.5 s, doubled each time) ──► running
 *        │                 └── many quick deaths, or a reason that stays ──► given up
 *        └──stop()──► stopped
 *
 * Leases and receipts make a restart harmless: what the program was doing is done again, or is found
 * to be done. A program that lived for a while has its earlier deaths forgiven.
 */
import { CliError, EXIT } from "../../protocol/exit_codes.ts";
import { readLogLine } from "../../protocol/log_line.ts";
import { ChildProgram, type ProgramEnd } from "./child_program.ts";

const QUICK_MS = 10_000;
/** A file may take five workers with it before it is parked, and a folder may hold a few such files. */
const QUICK_DEATHS_MAX = { sentinel: 5, worker: 20 } as const;
const BACKOFF_MS = { first: 500, max: 8_000 } as const;
/** The end of what a program said: enough for its error, whatever it printed before. */
const TAIL_LINES_MAX = 50;

export interface SupervisedEvents {
  /** Each line of its standard error. */
  line(line: string): void;
  /** It has been started, for the first time or again. */
  started(child: ChildProgram): void;
  /** It died and will be started again. */
  died(reason: string): void;
}

export class Supervised {
  #child: ChildProgram | undefined;
  #stopping = false;
  #wake: () => void = () => {};
  #tail: string[] = [];

  /** @param args Asked for at each start, as an address may be known only after the first one. */
  constructor(
    readonly program: "sentinel" | "worker",
    private readonly args: () => readonly string[],
    private readonly cwd: string,
    private readonly on: SupervisedEvents,
    /** Whether it has ever worked: if not, starting it again would only hide why. */
    private readonly hasWorked: () => boolean,
  ) {}

  /**
   * Resolves once stopped.
   * @throws {CliError} When it is given up, with what the program said and its exit code.
   */
  async run(): Promise<void> {
    for (let quickDeaths = 0; !this.#stopping;) {
      const startedMs = performance.now();
      const end = await this.#runOnce();
      if (this.#stopping) return;
      const quick = performance.now() - startedMs < QUICK_MS;
      quickDeaths = quick ? quickDeaths + 1 : 1;
      const final = quickDeaths >= QUICK_DEATHS_MAX[this.program] || end.code === EXIT.usage;
      if (final || !this.hasWorked()) throw this.#failure(end);
      this.on.died(this.#failure(end).message);
      await this.#pause(Math.min(BACKOFF_MS.first * 2 ** (quickDeaths - 1), BACKOFF_MS.max));
    }
  }

  /** Lets it end in order, for at most `limitMs`. Safe to call twice. */
  async stop(limitMs: number): Promise<void> {
    this.#stopping = true;
    this.#wake();
    await this.#child?.stop(limitMs);
  }

  kill(): void {
    this.#stopping = true;
    this.#wake();
    this.#child?.kill();
  }

  async #runOnce(): Promise<ProgramEnd> {
    this.#tail = [];
    const child = new ChildProgram(this.program, this.args(), this.cwd, (line) => {
      this.#tail.push(line);
      if (this.#tail.length > TAIL_LINES_MAX) this.#tail.shift();
      this.on.line(line);
    });
    this.#child = child;
    this.on.started(child);
    const end = await child.ended;
    this.#child = undefined;
    return end;
  }

  #failure({ code, signal }: ProgramEnd): CliError {
    const how = signal ? `by ${signal}` : `with exit code ${code}`;
    const message = lastError(this.#tail) ?? `The ${this.program} ended ${how}`;
    return new CliError(message, code === EXIT.usage ? EXIT.usage : EXIT.error);
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
  }
}

/** What the program told its user at its end, without the word "error: " that is put before it again. */
export function lastError(lines: readonly string[]): string | undefined {
  const said = lines.filter((line) => readLogLine(line).level === null);
  const start = said.findLastIndex((line) => line.startsWith("error: "));
  const text = said.slice(Math.max(0, start)).join("\n").replace(/^error: /, "").trim();
  return text === "" ? undefined : text;
}
