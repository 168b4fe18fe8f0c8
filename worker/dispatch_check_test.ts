import assert from "node:assert/strict";
import { checkDispatch } from "./dispatch_check.ts";

const sink = (topic: string) => ({ topic, uri: "parquet://output/t", mode: "replace" as const });
const asked = { file_path: "/data/in/a.csv", sinks: [sink("t"), sink("t2")] };

Deno.test("a job about a file in one of its data roots is taken, however the root is spelt", () => {
  for (const data_roots of [undefined, [], ["/data"], ["/other", "/data/in/"], ["/"]]) {
    checkDispatch({ ...asked, data_roots });
  }
});

Deno.test("paths and topics that lead elsewhere are refused with field, rule and value", () => {
  const refused: [Partial<Parameters<typeof checkDispatch>[0]>, RegExp][] = [
    [{ file_path: "../esc" }, /"\.\.\/esc".*absolute/],
    [{ file_path: "/data/../etc/passwd" }, /without "\.\."/],
    [{ file_path: "a.csv" }, /absolute/],
    [{ file_path: "/data/a\0.csv" }, /absolute/],
    [{ data_roots: ["/dat"] }, /must lie in \/dat/],
    [{ data_roots: ["/data/in/a.csv"] }, /must lie in/],
    [{ data_roots: ["relative"] }, /"relative".*absolute/],
    [{ sinks: [sink("../esc")] }, /topic.*got "\.\.\/esc"/],
    [{ sinks: [sink(".hidden")] }, /topic/],
    [{ sinks: [sink("")] }, /topic/],
    [{ sinks: [sink("t"), sink("t")] }, /named once: got "t"/],
  ];
  for (const [part, says] of refused) {
    assert.throws(() => checkDispatch({ ...asked, ...part }), says, JSON.stringify(part));
  }
});
