/**
 * One line of a program's own log: `2026-01-31T10:00:00.000Z warning What happened key="value"`.
 *
 * The sentinel and the worker write such lines; `casparian start` keeps them and shows the serious ones.
 */
import type { Clock, Logger, LogLevel } from "./ports.ts";

const LINE = /^\d{4}-\d\d-\d\dT\S+Z (debug|info|warning|error) (.*)$/s;

export function formatLogLine(
  nowMs: number,
  level: LogLevel,
  message: string,
  fields: Readonly<Record<string, unknown>> = {},
): string {
  const said = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  const text = `${message}${said.join("")}`.replaceAll("\n", "\\n");
  return `${new Date(nowMs).toISOString()} ${level} ${text}`;
}

/** Level and text of a line; a line of another form (a crash, a library) has no level. */
export function readLogLine(line: string): { level: LogLevel | null; text: string } {
  const [, level, text] = LINE.exec(line) ?? [];
  return { level: (level as LogLevel | undefined) ?? null, text: text ?? line };
}

/** Writes each line by `write`, such as `io.stderr`. */
export function lineLogger(write: (line: string) => void, clock: Clock): Logger {
  return {
    log: (level, message, fields) => write(formatLogLine(clock.nowMs(), level, message, fields)),
  };
}
