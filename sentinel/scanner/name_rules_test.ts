import assert from "node:assert/strict";
import { RootRules } from "../../protocol/records.ts";
import { ignoresPath, nameRules, type NameRulesOptions } from "./name_rules.ts";

/** Those of the names that are files to take in the root's own folder. */
function taken(options: NameRulesOptions, names: string[]): string[] {
  const rules = nameRules(options);
  return names.filter((name) => !rules.isIgnored("", name));
}

Deno.test("names of hidden and unfinished files are ignored, in any case", () => {
  const unfinished = ["a.tmp", "a.PART", "a.filepart", "a.partial", "a.crdownload", ".a.swp"];
  const others = [".x", "~$a.xlsx", "a.csv~", "THUMBS.DB", "a\nb.tmp"];
  assert.deepEqual(taken({}, [...unfinished, ...others]), []);
  const names = ["a.csv", "a.tmp.csv", "part", "a~$b", "thumbs.db.csv", "tmp", "a~b"];
  assert.deepEqual(taken({}, names), names);
});

Deno.test("a root may have names of its own for what is unfinished, instead of ours or beside them", () => {
  const names = ["a.tmp", "a.Uploading", "b_incoming_1", "a.csv"];
  const own = ["*.uploading", "*_incoming_?"];
  assert.deepEqual(taken({ partial: own }, names), ["a.tmp", "a.csv"]);
  assert.deepEqual(taken({ partial: ["default", ...own] }, names), ["a.csv"]);
  assert.deepEqual(taken({ partial: [] }, names), names);
  assert.deepEqual(taken({ partial: [] }, [".hidden"]), []);
});

Deno.test("what is to be ignored is told by name, or with a slash by path", () => {
  const rules = nameRules({ ignore: ["*.bak", "raw_[0-9].*", "/old/**", "**/scratch/*.csv"] });
  const ignored = [["", "a.bak"], ["deep", "a.bak"], ["", "raw_1.csv"], ["", "old"], ["old", "x"]];
  const ignoredPaths = [["a/scratch", "x.csv"], ["scratch", "x.csv"]];
  for (const [folder, name] of [...ignored, ...ignoredPaths]) {
    assert.ok(rules.isIgnored(folder!, name!), `${folder}/${name}`);
  }
  for (const [folder, name] of [["", "a.BAK"], ["a", "old"], ["scratch", "x.txt"], ["", "bak"]]) {
    assert.ok(!rules.isIgnored(folder!, name!), `${folder}/${name}`);
  }
});

Deno.test("ignoresPath() is true below a folder that is not walked", () => {
  const rules = nameRules({ ignore: ["archive"], marker: "*.done" });
  assert.ok(ignoresPath(rules, "a/archive/b", "x.csv"));
  assert.ok(ignoresPath(rules, "a", "archive"));
  assert.ok(ignoresPath(rules, "a", "x.csv.done"));
  assert.ok(!ignoresPath(rules, "a/archives", "x.csv"));
});

Deno.test("a marker has the file's name, its stem, or serves its whole folder", () => {
  const of = (pattern: string, name: string) => nameRules({ marker: pattern }).marker!.of(name);
  assert.equal(of("*.done", "x.csv"), "x.csv.done");
  assert.equal(of(".*.complete", "x.csv"), ".x.csv.complete");
  assert.equal(of("{stem}.ok", "x.tar.gz"), "x.tar.ok");
  assert.equal(of("{stem}.ok", "README"), "README.ok");
  assert.equal(of("_SUCCESS", "x.csv"), "_SUCCESS");
});

Deno.test("a marker is no file itself, whether its file is there or not", () => {
  const is = (pattern: string, name: string) =>
    nameRules({ marker: pattern }).marker!.isMarker(name);
  assert.ok(is("*.done", "x.csv.done"));
  assert.ok(is("ready_*.flag", "ready_x.flag"));
  assert.ok(is("_SUCCESS", "_SUCCESS"));
  for (const name of [".done", "x.csv", "x.done.csv"]) assert.ok(!is("*.done", name), name);
});

Deno.test("the control API takes markers that can be told from files, and no others", () => {
  const takes = (rules: unknown) => RootRules.safeParse(rules).success;
  for (const marker of ["*.done", "{stem}.ok", "_SUCCESS", "ok-*", null]) {
    assert.ok(takes({ marker }), `${marker}`);
  }
  for (const marker of ["", "*", "{stem}", "**.done", "*.{stem}", "a/b", "{x}", "x".repeat(129)]) {
    assert.ok(!takes({ marker }), marker);
  }
  assert.ok(!takes({ partial: ["a/b"] }));
  assert.ok(!takes({ poll_ms: 99 }));
  assert.ok(!takes({ setle_ms: 1 }));
});
