import assert from "node:assert/strict";
import { cancelled, overLogs, overMemory, timedOut } from "./early_end.ts";

const GIB = 1024 ** 3;
const reached = { yielded: 2, rows: 12_400 };

Deno.test("a job that was ended says by what, and how far it had come", () => {
  const said = [
    timedOut(30_000).failure(reached),
    overMemory(2.1 * GIB, 2 * GIB, { yielded: 16, rows: 0 }),
    overMemory(2 * GIB, 2 * GIB, reached),
    cancelled("aborted").failure(reached),
    cancelled("superseded").failure({ yielded: 0, rows: 0 }),
    cancelled("drained").failure(undefined),
  ];
  assert.deepEqual(said.map(({ kind, message, retryable }) => [kind, message, retryable]), [
    [
      "timeout",
      "killed: ran longer than 30 s (in batch 3, 12,400 rows so far): " +
      "raise timeout_s in its MANIFEST if the file is worth it",
      true,
    ],
    [
      "memory",
      "killed: 2.1 GiB over the 2 GiB limit in batch 17: " +
      "raise memory_mb in its MANIFEST, or yield smaller tables",
      true,
    ],
    [
      "memory",
      "killed: it wanted more than its limit of 2 GiB in batch 3: " +
      "raise memory_mb in its MANIFEST, or yield smaller tables",
      true,
    ],
    ["aborted", "cancelled by the sentinel (in batch 3, 12,400 rows so far)", false],
    ["aborted", "cancelled by a newer attempt of the job (in batch 1, no rows so far)", false],
    ["aborted", "cancelled by the stop of its worker (before it began)", true],
  ]);
  assert.match(overLogs(30 * 1024 ** 2, 10 * 1024 ** 2, reached).message, /30 MiB .* 10 MiB limit/);
});
