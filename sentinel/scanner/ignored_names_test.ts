import assert from "node:assert/strict";
import { isIgnored } from "./ignored_names.ts";

Deno.test("names of hidden and unfinished files are ignored, in any case", () => {
  for (const name of [".x", "~$a.xlsx", "a.tmp", "a.PART", "a.crdownload", ".a.swp", "THUMBS.DB"]) {
    assert.ok(isIgnored(name), name);
  }
  for (const name of ["a.csv", "a.tmp.csv", "part", "a~$b", "thumbs.db.csv", "tmp"]) {
    assert.ok(!isIgnored(name), name);
  }
});
