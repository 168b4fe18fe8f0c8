import assert from "node:assert/strict";
import type { Observations } from "./observations.ts";
import { BATCH_AGE_MS_MAX, BATCH_FILES_MAX, BATCHES_UNANSWERED_MAX, Outbox } from "./outbox.ts";

class Receiver {
  nowMs = 0;
  readonly sent: Observations[] = [];
  readonly answers: PromiseWithResolvers<void>[] = [];
  readonly refused: string[] = [];
  readonly outbox = new Outbox({
    rootId: 1,
    clock: { nowMs: () => this.nowMs, wallMs: () => 0 },
    send: (observations) => {
      this.sent.push(observations);
      const answer = Promise.withResolvers<void>();
      this.answers.push(answer);
      return answer.promise;
    },
    onRefused: (folders) => this.refused.push(...folders),
  });
}

const file = { folder: "a", name: "x", ignored: false };

Deno.test("a batch is sent when it is full or old, whichever comes first", async () => {
  const { outbox, sent, ...receiver } = new Receiver();
  for (let i = 0; i < BATCH_FILES_MAX - 1; i++) await outbox.deleted(file);
  assert.equal(sent.length, 0);
  await outbox.deleted(file);
  assert.equal(sent[0]?.deleted.length, BATCH_FILES_MAX);
  receiver.answers.forEach((answer) => answer.resolve());
});

Deno.test("a batch is sent when it is old", async () => {
  const receiver = new Receiver();
  await receiver.outbox.deleted(file);
  receiver.nowMs = BATCH_AGE_MS_MAX - 1;
  await receiver.outbox.flushIfOld();
  assert.equal(receiver.sent.length, 0);
  receiver.nowMs = BATCH_AGE_MS_MAX;
  await receiver.outbox.flushIfOld();
  assert.equal(receiver.sent.length, 1);
});

Deno.test("whoever adds waits while the bound of batches is unanswered", async () => {
  const receiver = new Receiver();
  const add = async () => {
    await receiver.outbox.deleted(file);
    await receiver.outbox.flush();
  };
  for (let i = 0; i < BATCHES_UNANSWERED_MAX; i++) await add();
  const waiting = add();
  await Promise.resolve();
  assert.equal(receiver.sent.length, BATCHES_UNANSWERED_MAX);
  receiver.answers[0]!.resolve();
  await waiting;
  assert.equal(receiver.sent.length, BATCHES_UNANSWERED_MAX + 1);
});

Deno.test("holds() is true of a folder until what was said of it is answered", async () => {
  const receiver = new Receiver();
  await receiver.outbox.deleted(file);
  assert.ok(receiver.outbox.holds("a"));
  const drained = receiver.outbox.drain();
  assert.ok(receiver.outbox.holds("a"));
  assert.ok(!receiver.outbox.holds("b"));
  receiver.answers[0]!.resolve();
  await drained;
  assert.ok(!receiver.outbox.holds("a"));
});

Deno.test("a refused batch names its folders", async () => {
  const receiver = new Receiver();
  await receiver.outbox.deleted(file);
  const drained = receiver.outbox.drain();
  receiver.answers[0]!.reject(new Error("disk full"));
  await drained;
  assert.deepEqual(receiver.refused, ["a"]);
});
