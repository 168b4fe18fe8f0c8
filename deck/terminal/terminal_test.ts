import assert from "node:assert/strict";
import { fitted, printable } from "./printable.ts";
import { ago, bytes, count, counted, duration } from "./quantities.ts";
import { table } from "./table.ts";

Deno.test("a table aligns its columns and cuts only the last one to the terminal", () => {
  const lines = table([">ID", "PATH"], [["7", "a.csv"], ["12", "x".repeat(60)]], 30);
  assert.deepEqual(lines, ["ID  PATH", " 7  a.csv", `12  ${"x".repeat(25)}…`]);
});

Deno.test("a table without rows is its titles", () => {
  assert.deepEqual(table(["NAME", "STATE"], [], 80), ["NAME  STATE"]);
});

Deno.test("a file's name cannot break the table or steer the terminal", () => {
  const [, line] = table(["PATH", "X"], [["a\nb\x1b[31m\u202ec", ""]], 80);
  assert.equal(line, "a\\nb\\u001b[31m\\u202ec");
  assert.equal(printable("tab\there"), "tab\\there");
});

Deno.test("text is cut at its limit, and left alone up to it", () => {
  assert.equal(fitted("abcd", 4), "abcd");
  assert.equal(fitted("abcde", 4), "abc…");
  assert.equal(fitted("😀😀😀", 2), "😀…");
});

Deno.test("quantities change their unit at the boundary", () => {
  assert.deepEqual([bytes(0), bytes(1023), bytes(1024), bytes(15 * 1024)], [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "15 KiB",
  ]);
  assert.deepEqual([duration(999), duration(1000), duration(59_000), duration(60_000)], [
    "999 ms",
    "1.0 s",
    "59 s",
    "1 min 0 s",
  ]);
  assert.equal(duration(2 * 3_600_000 + 5 * 60_000), "2 h 5 min");
  assert.equal(count(1234567), "1,234,567");
  assert.deepEqual([counted(1, "file"), counted(0, "file")], ["1 file", "0 files"]);
  assert.deepEqual([ago(null, 5), ago(1000, 3000)], ["-", "2.0 s ago"]);
});
