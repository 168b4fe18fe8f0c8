import assert from "node:assert/strict";
import { formatLogLine, lineLogger, readLogLine } from "./log_line.ts";

Deno.test("a log line says when, how bad, what and with which values, on one line", () => {
  const lines: string[] = [];
  const logger = lineLogger((line) => lines.push(line), { nowMs: () => 0 });
  logger.log("warning", "Lost a worker\nagain", { worker: "w 1", jobs: 2 });
  assert.deepEqual(lines, [
    `1970-01-01T00:00:00.000Z warning Lost a worker\\nagain worker="w 1" jobs=2`,
  ]);
});

Deno.test("a log line is read back; any other line has no level", () => {
  const read = readLogLine(formatLogLine(0, "error", "Cannot write"));
  assert.deepEqual(read, { level: "error", text: "Cannot write" });
  assert.deepEqual(readLogLine("Segmentation fault"), { level: null, text: "Segmentation fault" });
});
