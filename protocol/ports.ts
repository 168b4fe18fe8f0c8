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

/** What asks a program to stop: Ctrl-C, or a polite end. */
export type StopSignal = "SIGINT" | "SIGTERM";

/** The process around a command; only casparian.ts has the real one. */
export interface CliIo {
  /** What follows `casparian`, the command's name first. */
  readonly args: readonly string[];
  /** The folder the user stands in: paths that a user gives are resolved against it. */
  readonly cwd: string;
  env(name: string): string | undefined;
  /** Milliseconds since the Unix epoch, as an integer. */
  nowMs(): number;
  stdout(line: string): void;
  stderr(line: string): void;
  /** Text for the terminal as it stands, without a newline: for a line that is drawn again and again. */
  draw(text: string): void;
  /** Both outputs are a terminal; otherwise nothing is drawn over and nothing is coloured. */
  readonly isTerminal: boolean;
  /** Width of the terminal, as it is now; a usual one where there is none. */
  readonly columns: number;
  /**
   * Calls back for each SIGINT and SIGTERM until disposed; without a listener they end the program.
   * A signal that comes twice within a moment, by the terminal and by a parent, counts once.
   */
  onInterrupt(callback: (signal: StopSignal) => void): () => void;
  /** What the program ends with: see exit_codes.ts. */
  exitCode: number;
}
