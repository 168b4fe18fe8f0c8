/** Log lines for people or, as JSON, for programs. */
import type { Clock, Logger, LogLevel } from "../protocol/ports.ts";

export function lineLogger(clock: Clock, asJson: boolean, write: (line: string) => void): Logger {
  return {
    log(level, message, fields = {}) {
      const time = new Date(clock.nowMs()).toISOString();
      write(
        asJson
          ? JSON.stringify({ time, level, message, ...fields })
          : text(time, level, message, fields),
      );
    },
  };
}

function text(
  time: string,
  level: LogLevel,
  message: string,
  fields: Readonly<Record<string, unknown>>,
): string {
  const details = Object.entries(fields).map(([name, value]) => ` ${name}=${value}`).join("");
  return `${time.slice(11, 19)} ${level === "info" ? "" : `${level}: `}${message}${details}`;
}
