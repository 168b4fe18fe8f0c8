import assert from "node:assert/strict";
import { textTable } from "./text_table.ts";

Deno.test("columns are aligned, numbers to the right, nothing stands for null", () => {
  const rows = [{ id: 1, name: "Ada" }, { id: 12345, name: null }];
  assert.deepEqual(textTable(["id", "name"], rows, 80), [
    "   id  name",
    "-----  ----",
    "    1  Ada",
    "12345",
  ]);
});

Deno.test("a table is never wider than asked, but for its first column", () => {
  const rows = [{ a: "x".repeat(30), b: "y".repeat(30), c: "z" }];
  const lines = textTable(["a", "b", "c"], rows, 40);
  assert.ok(lines.every((line) => line.length <= 40), lines.join("\n"));
  assert.equal(lines.at(-1), "(and 2 more columns)");
});

Deno.test("long cells are cut and control characters can not reach the terminal", () => {
  const rows = [{ a: "x".repeat(100), b: "1\n2\x1b[31m" }];
  const [, , row] = textTable(["a", "b"], rows, 200);
  assert.match(row!, /^x{39}… {2}1\\n2\\x1b\[31m$/);
});
