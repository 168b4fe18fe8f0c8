import assert from "node:assert/strict";
import { ErrorKind } from "../../protocol/messages.ts";
import { verdict } from "./retry.ts";

const FRESH = { attempt: 1, failures: 0, lostWorkers: 0 };

/** Attempts that all end so, until the job is FAILED. */
function attemptsOf(kind: ErrorKind, retries: number): number {
  const history = { attempt: 0, failures: 0, lostWorkers: 0 };
  while (history.attempt < 100) {
    history.attempt++;
    const { countsAs, next } = verdict(kind, history, retries, true, 0, 0);
    if (next.state === "FAILED") return history.attempt;
    if (countsAs === "failure") history.failures++;
    if (countsAs === "lost_worker") history.lostWorkers++;
  }
  return Infinity;
}

Deno.test("each kind of error has its own number of attempts", () => {
  const counted = Object.fromEntries(ErrorKind.options.map((kind) => [kind, attemptsOf(kind, 2)]));
  assert.deepEqual(counted, {
    plugin: 3,
    timeout: 3,
    memory: 3,
    environment: 3,
    contract: 1,
    gatekeeper: 1,
    worker_lost: 5,
    file_changed: Infinity,
    sink: 5,
    aborted: Infinity,
  });
  assert.equal(attemptsOf("plugin", 0), 1, "a plugin that says nothing is not retried");
});

Deno.test("what is not retryable fails at once, whatever its kind", () => {
  for (const kind of ErrorKind.options) {
    assert.equal(verdict(kind, FRESH, 9, false, 0, 0).next.state, "FAILED", kind);
  }
});

Deno.test("the back-off doubles, has jitter, and ends at a minute", () => {
  const delayMs = (failures: number, jitter: number) => {
    const { next } = verdict("plugin", { ...FRESH, failures }, 99, true, 500, jitter);
    return next.state === "QUEUED" ? next.notBeforeMs - 500 : NaN;
  };
  assert.deepEqual([0, 1, 2].map((failures) => delayMs(failures, 0)), [500, 1000, 2000]);
  assert.equal(delayMs(0, 0.5), 750);
  assert.equal(delayMs(90, 0.999999), 60_000);
});
