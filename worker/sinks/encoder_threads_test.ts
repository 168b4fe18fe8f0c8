import assert from "node:assert/strict";
import { EncoderThreads } from "./encoder_threads.ts";

Deno.test("threads are started one by one as outputs need them, up to the bound", async () => {
  const threads = new EncoderThreads(2, 60_000);
  const first = await threads.acquire();
  const second = await threads.acquire();
  assert.notEqual(first, second);
  const third = await threads.acquire();
  assert.equal(threads.size, 2);
  assert.deepEqual([first, second].map(({ outputs }) => outputs).sort(), [1, 2]);
  threads.release(third);
  threads.release(first);
  const again = await threads.acquire();
  assert.ok([first, second].includes(again) && again.outputs <= 2);
  threads.close();
  assert.equal(threads.size, 0);
});

Deno.test("a thread without outputs is ended, and the next output gets a new one", async () => {
  const idleMs = 5;
  const threads = new EncoderThreads(1, idleMs);
  const first = await threads.acquire();
  threads.release(first);
  await until(() => first.ended);
  assert.equal(threads.size, 0);
  const second = await threads.acquire();
  assert.notEqual(first, second);
  await until(() => true, 4 * idleMs); // well past the time that ends an idle one
  assert.ok(!second.ended);
  threads.close();
});

Deno.test("a task of an ended thread fails with the reason, also one that waits", async () => {
  const threads = new EncoderThreads(1, 60_000);
  const thread = await threads.acquire();
  const waiting = thread.run(1, { op: "finish" });
  thread.terminate("it was told to");
  await assert.rejects(waiting, { name: "SinkError", message: /as it was told to/ });
  await assert.rejects(thread.run(1, { op: "abort" }), { name: "SinkError" });
  threads.close();
});

/** Polls, as nothing signals the end of a timer; gives up by the test's own timeout. */
async function until(done: () => boolean, delayMs = 1): Promise<void> {
  do await new Promise((resolve) => setTimeout(resolve, delayMs)); while (!done());
}
