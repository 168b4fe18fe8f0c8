import assert from "node:assert/strict";
import type { MessageOf } from "../protocol/messages.ts";
import { LogFlow } from "./log_flow.ts";

const MIB = 1024 * 1024;

function log(jobId: number, text: string): MessageOf<"log"> {
  return { name: "log", jobId, body: { attempt: 1, lines: [[7, 0, text]] } };
}

const MARK = 4;

function flowing(): { flow: LogFlow; sent: MessageOf<"log">[]; texts(): string[] } {
  const sent: MessageOf<"log">[] = [];
  const flow = new LogFlow((log) => sent.push(log));
  const texts = () => sent.splice(0).map(({ body }) => body.lines[0]![2].slice(0, 40));
  return { flow, sent, texts };
}

Deno.test("logs go at once while the sentinel speaks, and wait in order while it is away", () => {
  const { flow, texts } = flowing();
  flow.offer(log(1, "a"), true);
  assert.deepEqual(texts(), ["a"]);
  flow.offer(log(1, "b"), false);
  assert.deepEqual(texts(), []);
  flow.offer(log(1, "c"), true);
  assert.deepEqual(texts(), ["b", "c"]);
  flow.heard(true);
  assert.deepEqual(texts(), []);
});

Deno.test("a sentinel that is silent gets so much and no more, until it speaks", () => {
  const { flow, texts } = flowing();
  for (let n = 0; n < 40; n++) flow.offer(log(1, "x".repeat(MIB)), true);
  assert.equal(texts().length, 32);
  flow.heard(false);
  assert.equal(texts().length, 0);
  flow.heard(true);
  assert.equal(texts().length, 8);
});

Deno.test("what waits is bounded, the oldest go, and each job's log says how many it lost", () => {
  const { flow, sent, texts } = flowing();
  for (let n = 0; n < 100; n++) flow.offer(log(n % 2, `${n} ${"x".repeat(MIB / 2)}`), false);
  flow.heard(true);
  const lines = sent.map(({ body }) => body.lines[0]!);
  assert.ok(lines.reduce((sum, [, , text]) => sum + text.length, 0) <= 16 * MIB);
  const gaps = sent.filter(({ body }) => body.lines[0]![1] === MARK);
  assert.deepEqual(gaps.map(({ jobId }) => jobId).sort(), [0, 1]);
  const lost = gaps.map(({ body }) => Number(/^\d+/.exec(body.lines[0]![2])![0]));
  assert.equal(lost[0]! + lost[1]! + sent.length - gaps.length, 100);
  texts();
  flow.offer(log(0, "z"), true);
  assert.deepEqual(texts(), ["z"]);
});
