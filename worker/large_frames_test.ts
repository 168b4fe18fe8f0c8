import assert from "node:assert/strict";
import { LargeFrames } from "./large_frames.ts";

/** Whether it is resolved by now. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  const pending = Symbol();
  return await Promise.race([promise, Promise.resolve(pending)]) !== pending;
}

Deno.test("jobs with large frames take turns, each until it is over, and those without never wait", async () => {
  const frames = new LargeFrames();
  const [one, none, two, three] = [frames.turn(), frames.turn(), frames.turn(), frames.turn()];
  await one.take();
  await one.take();
  const waiting = [two.take(), three.take()];
  none.end();
  assert.deepEqual(await Promise.all(waiting.map(isDone)), [false, false]);
  one.end();
  await waiting[0];
  assert.equal(await isDone(waiting[1]!), false);
  two.end();
  await waiting[1];
});

Deno.test("a job that is ended while it waits waits no longer, nor do those behind it", async () => {
  const frames = new LargeFrames();
  const [one, two, three] = [frames.turn(), frames.turn(), frames.turn()];
  await one.take();
  const waiting = [two.take(), three.take()];
  two.end();
  await waiting[0];
  assert.equal(await isDone(waiting[1]!), false);
  one.end();
  await waiting[1];
});
