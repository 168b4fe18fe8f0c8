/** Types only: what the parts need from outside, so that tests and the simulator can hand in their own. */

export interface Clock {
  /** Milliseconds since the Unix epoch, as an integer. */
  nowMs(): number;
}

export interface Random {
  /** A number in [0, 1). */
  next(): number;
}

export type LogLevel = "debug" | "info" | "warning" | "error";

export interface Logger {
  /** One line: what happened, then what a reader needs to act on it. */
  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void;
}
