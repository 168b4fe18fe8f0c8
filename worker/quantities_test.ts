import assert from "node:assert/strict";
import { bytesText, countText, differingBytes, limitText } from "./quantities.ts";

const GIB = 1024 ** 3;

Deno.test("amounts are in the unit that suits them", () => {
  assert.deepEqual([0, 1023, 1536, 2 * GIB, 23.4 * GIB].map(bytesText), [
    "0 B",
    "1,023 B",
    "1.5 KiB",
    "2 GiB",
    "23 GiB",
  ]);
  assert.deepEqual([250, 1500, 30_000].map(limitText), ["250 ms", "1.5 s", "30 s"]);
  assert.deepEqual([0, 1, 12_400].map((n) => countText(n, "row")), [
    "no rows",
    "1 row",
    "12,400 rows",
  ]);
});

Deno.test("what is over a limit never reads like the limit itself", () => {
  assert.deepEqual(differingBytes(2.1 * GIB, 2 * GIB), ["2.1 GiB", "2 GiB"]);
  assert.deepEqual(differingBytes(2 * GIB + 2 * 1024 ** 2, 2 * GIB), ["2,050 MiB", "2,048 MiB"]);
  assert.deepEqual(differingBytes(101 * 1024, 100 * 1024), ["101 KiB", "100 KiB"]);
  assert.deepEqual(differingBytes(2 * GIB + 1, 2 * GIB), ["2,147,483,649 B", "2,147,483,648 B"]);
});
