import assert from "node:assert/strict";
import { ErrorKind } from "../../protocol/messages.ts";
import { BACKOFF_MAX_MS, type History, POLICIES, type RetryRules, verdict } from "./retry.ts";

const FRESH: History = { attempt: 1, failures: 0, lostWorkers: 0, memoryMb: null };
const RULES: RetryRules = { retries: 2, memoryMb: null, memoryMbMax: null };

/** Attempts that all end so, until the job is FAILED, with the memory limit of each. */
function attempts(kind: ErrorKind, rules: RetryRules, retryable = true): (number | null)[] {
  const history = { ...FRESH, attempt: 0 };
  const limits: (number | null)[] = [];
  while (history.attempt < 100) {
    history.attempt++;
    limits.push(history.memoryMb ?? rules.memoryMb);
    const { countsAs, next } = verdict(kind, retryable, history, rules, 0, 0);
    if (next.state === "FAILED") return limits;
    history.memoryMb = next.memoryMb ?? history.memoryMb;
    if (countsAs === "failure") history.failures++;
    if (countsAs === "lost_worker") history.lostWorkers++;
  }
  return limits;
}

const attemptsOf = (kind: ErrorKind, retries: number, retryable = true) =>
  attempts(kind, { ...RULES, retries }, retryable).length;

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
    file_changed: 100,
    sink: 6,
    aborted: 100,
  });
  assert.equal(attemptsOf("plugin", 0), 1, "a plugin that says nothing is not retried");
});

// The worker calls a plugin's own error not retryable, which once made MANIFEST's retries void.
Deno.test("a worker's advice ends what MANIFEST has no say in, and nothing else", () => {
  const counted = ErrorKind.options.map((kind) => [kind, attemptsOf(kind, 2, false)] as const);
  const heeded = counted.filter(([, attempts]) => attempts === 1).map(([kind]) => kind);
  assert.deepEqual(
    heeded.toSorted(),
    ["aborted", "contract", "environment", "file_changed", "gatekeeper", "sink", "worker_lost"],
  );
  assert.deepEqual(counted.filter(([, n]) => n === 3).map(([kind]) => kind), [
    "plugin",
    "timeout",
    "memory",
  ]);
});

Deno.test("the delay is uniform from nothing to a ceiling that doubles up to a minute", () => {
  const delayMs = (failures: number, jitter: number) => {
    const rules = { ...RULES, retries: 99 };
    const { next } = verdict("plugin", true, { ...FRESH, failures }, rules, 500, jitter);
    return next.state === "QUEUED" ? next.notBeforeMs - 500 : NaN;
  };
  assert.deepEqual([0, 0.25, 0.5].map((jitter) => delayMs(0, jitter)), [0, 250, 500]);
  assert.deepEqual([0, 1, 2].map((failures) => delayMs(failures, 0.5)), [500, 1000, 2000]);
  assert.equal(delayMs(90, 0.999999), BACKOFF_MAX_MS);
  assert.equal(delayMs(90, 0), 0);
});

Deno.test("a lost worker's jobs go on at once: they may be innocent", () => {
  const { next } = verdict("worker_lost", true, { ...FRESH, lostWorkers: 3 }, RULES, 500, 0.9);
  assert.deepEqual(next, { state: "QUEUED", notBeforeMs: 0 });
});

Deno.test("a memory death raises the limit once, to memory_mb_max, beyond the plugin's retries", () => {
  const raised = { retries: 0, memoryMb: 100, memoryMbMax: 400 };
  assert.deepEqual(attempts("memory", raised), [100, 400]);
  assert.deepEqual(attempts("memory", { ...raised, retries: 1 }), [100, 400, 400]);
  assert.deepEqual(attempts("memory", { ...raised, memoryMb: null }), [null, 400]);
  assert.deepEqual(attempts("memory", { ...raised, memoryMbMax: null }), [100]);
  assert.deepEqual(attempts("memory", { ...raised, memoryMbMax: 100 }), [100], "no higher one");
  assert.deepEqual(attempts("memory", raised, false), [100, 400], "whatever the worker advises");
  assert.deepEqual(attempts("plugin", raised), [100], "other errors are no matter of memory");
});

Deno.test("what trips the breaker says something about the plugin, not about a host", () => {
  const trips = ErrorKind.options.filter((kind) => POLICIES[kind].tripsBreaker);
  assert.deepEqual(trips.toSorted(), [
    "contract",
    "environment",
    "gatekeeper",
    "memory",
    "plugin",
    "timeout",
  ]);
});
