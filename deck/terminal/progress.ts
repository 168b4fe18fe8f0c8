import type { CliIo } from "../../protocol/ports.ts";
import type { SystemStatus } from "../../protocol/records.ts";
import type * as z from "zod";
import { fitted, printable } from "./printable.ts";
import { count } from "./quantities.ts";

export type Status = z.infer<typeof SystemStatus>;

/** What there is to do, in one line: "12 done · 2 running · 40 queued · 1 failed · locking sales_csv". */
export function statusText(status: Status): string {
  const { QUEUED, RUNNING, COMPLETED, FAILED, CANCELLED } = status.jobs;
  const parts = [
    `${count(COMPLETED)} done`,
    ...RUNNING > 0 ? [`${count(RUNNING)} running`] : [],
    ...QUEUED > 0 ? [`${count(QUEUED)} queued`] : [],
    ...FAILED > 0 ? [`${count(FAILED)} failed`] : [],
    ...CANCELLED > 0 ? [`${count(CANCELLED)} cancelled`] : [],
    ...RUNNING > 0 ? [] : status.waiting_for.slice(0, 1),
  ];
  return printable(parts.join(" · "));
}

const ERASE_LINE = "\r\x1b[2K";
/** In a pipe each change is a line of its own, so they must not come faster than this. */
const PLAIN_GAP_MS = 1000;

/**
 * The last line of the terminal, drawn again and again; in a pipe, a plain line when it changes.
 * It goes to standard error, so that what a command prints can be piped on.
 */
export class ProgressLine {
  #text = "";
  #plain = "";
  #plainAtMs = -Infinity;

  constructor(private readonly io: CliIo, private readonly nowMs = () => performance.now()) {}

  show(text: string): void {
    if (!this.io.isTerminal) return this.#showPlain(text);
    if (text === this.#text) return;
    this.#text = text;
    this.#redraw();
  }

  /** Prints lines above the progress. */
  above(lines: readonly string[], print = this.io.stderr.bind(this.io)): void {
    if (this.#text !== "") this.io.draw(ERASE_LINE);
    lines.forEach((line) => print(line));
    if (this.#text !== "") this.#redraw();
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#text !== "") this.io.draw(ERASE_LINE);
    this.#text = "";
  }

  #redraw(): void {
    this.io.draw(ERASE_LINE + fitted(this.#text, this.io.columns - 1));
  }

  #showPlain(text: string): void {
    const nowMs = this.nowMs();
    if (text === this.#plain || nowMs - this.#plainAtMs < PLAIN_GAP_MS) return;
    this.#plain = text;
    this.#plainAtMs = nowMs;
    this.io.stderr(text);
  }
}
