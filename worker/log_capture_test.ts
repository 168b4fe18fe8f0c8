import assert from "node:assert/strict";
import { encode } from "../protocol/codec.ts";
import { LOG_LINES_MAX, LOG_MESSAGE_COST_BYTES } from "../protocol/ids.ts";
import type { MessageBody } from "../protocol/messages.ts";
import { LogCapture } from "./log_capture.ts";

const job = { id: 3, attempt: 2 };

function capture(): { logs: LogCapture; sent: { jobId: number; body: MessageBody<"log"> }[] } {
  const sent: { jobId: number; body: MessageBody<"log"> }[] = [];
  const logs = new LogCapture({ nowMs: () => 7 }, (jobId, body) => sent.push({ jobId, body }));
  return { logs, sent };
}

Deno.test("closing a job's log sends what waits, with its attempt", () => {
  const { logs, sent } = capture();
  const log = logs.open(job);
  log.add(0, "a");
  log.add(5, "b");
  assert.equal(sent.length, 0);
  log.close();
  assert.deepEqual(sent, [{ jobId: 3, body: { attempt: 2, lines: [[7, 0, "a"], [7, 5, "b"]] } }]);
  logs.stop();
});

Deno.test("lines of a job that goes on are sent soon", async () => {
  const sent = Promise.withResolvers<MessageBody<"log">>();
  const logs = new LogCapture({ nowMs: () => 7 }, (_job, body) => sent.resolve(body));
  logs.open(job).add(0, "still running");
  assert.equal((await sent.promise).lines[0]?.[2], "still running");
  logs.stop();
});

Deno.test("every message fits its payload, whatever is printed", () => {
  const { logs, sent } = capture();
  const log = logs.open(job);
  for (const char of ["a", "\u0000", "\u{1F600}", "\ud800"]) {
    for (let i = 0; i < 20; i++) log.add(0, char.repeat(60_000));
  }
  log.add(0, "b".repeat(500_000));
  log.close();
  logs.stop();
  for (const { jobId, body } of sent) encode("log", jobId, body);
  const text = sent.flatMap(({ body }) => body.lines).map((line) => line[2]).join("");
  assert.equal(text.match(/b/g)?.length, 500_000);
});

Deno.test("many short lines are cut into messages of a bounded number of lines", () => {
  const { logs, sent } = capture();
  const log = logs.open(job);
  for (let i = 0; i < 2 * LOG_LINES_MAX + 1; i++) log.add(0, `${i}`);
  log.close();
  logs.stop();
  assert.deepEqual(sent.map(({ body }) => body.lines.length), [LOG_LINES_MAX, LOG_LINES_MAX, 1]);
});

Deno.test("beyond its bound a job's log says once that it is truncated", () => {
  const { logs, sent } = capture();
  const log = logs.open(job, 2 * (5 + LOG_MESSAGE_COST_BYTES));
  for (let i = 0; i < 5; i++) log.add(0, "12345");
  log.close();
  logs.stop();
  const lines = sent[0]!.body.lines.map((line) => line[2]);
  assert.deepEqual(lines.slice(0, 2), ["12345", "12345"]);
  assert.equal(lines.length, 3);
  assert.match(lines[2]!, /truncated/);
});
