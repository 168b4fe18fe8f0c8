import assert from "node:assert/strict";
import plugin from "./lint_plugin.ts";

/** The rules that the source breaks, standing at `path`. */
function broken(path: string, source: string): string[] {
  const found = Deno.lint.runPlugin(plugin, path, source);
  return [...new Set(found.map(({ id }) => id.replace("casparian/", "")))];
}

/** Each case: where, what, and whether it is refused. */
function check(rule: string, good: [string, string][], bad: [string, string][]): void {
  for (const [path, source] of good) {
    assert.deepEqual(broken(path, source), [], `${path}: ${source}`);
  }
  for (const [path, source] of bad) {
    assert.deepEqual(broken(path, source), [rule], `${path}: ${source}`);
  }
}

Deno.test("import-direction: rooms import toward protocol, by every kind of edge", () => {
  check("import-direction", [
    ["sentinel/a.ts", `import { x } from "../protocol/messages.ts";`],
    ["sentinel/store/a.ts", `export * from "./b.ts"; export { y } from "../../security/x.ts";`],
    ["deck/a.ts", `import { x } from "../security/permissions.ts";`],
    ["worker/a_test.ts", `import { x } from "../tests/python.ts"; import fc from "fast-check";`],
    ["tests/sim/a.ts", `import "../../sentinel/loop.ts"; import "../../worker/loop.ts";`],
    ["deck/commands/a.ts", `import config from "../../deno.json" with { type: "json" };`],
  ], [
    ["sentinel/a.ts", `import { x } from "../worker/loop.ts";`],
    ["sentinel/a.ts", `import type { X } from "../deck/main.ts";`],
    ["worker/a.ts", `export { x } from "../sentinel/loop.ts";`],
    ["worker/sinks/a.ts", `export * from "../../sentinel/loop.ts";`],
    ["deck/a.ts", `const x = await import("../sentinel/store/store.ts");`],
    ["protocol/a.ts", `import { x } from "../security/signing.ts";`],
    ["security/a.ts", `import { x } from "../deck/query.ts";`],
    ["demo/a.ts", `import { x } from "../protocol/ids.ts";`],
    ["worker/a.ts", `import { x } from "../tests/python.ts";`],
    ["worker/a_test.ts", `import { x } from "../sentinel/loop.ts";`],
  ]);
});

Deno.test("import-direction: each room uses its own packages", () => {
  check("import-direction", [
    ["protocol/a.ts", `import * as z from "zod";`],
    ["protocol/zeromq.ts", `import { setImmediate } from "node:timers";`],
    [
      "security/a.ts",
      `import { parser } from "@lezer/python"; import { hash } from "node:crypto";`,
    ],
    ["worker/a.ts", `import initialise from "parquet-wasm/esm";`],
  ], [
    ["security/a.ts", `import { DatabaseSync } from "node:sqlite";`],
    ["sentinel/a.ts", `import { tableFromIPC } from "apache-arrow";`],
    ["worker/a.ts", `import picomatch from "picomatch";`],
    ["worker/a.ts", `import "zodiac";`],
    ["deck/a.ts", `import fc from "fast-check";`],
  ]);
});

Deno.test("import-direction: the front door loads the main.ts of a room, and only when needed", () => {
  check("import-direction", [
    ["casparian.ts", `import { RELEASE } from "./protocol/release.ts";`],
    ["casparian.ts", `const room = await import("./sentinel/main.ts");`],
  ], [
    ["casparian.ts", `import { x } from "./sentinel/main.ts";`],
    ["casparian.ts", `const room = await import("./sentinel/loop.ts");`],
    ["sentinel/a.ts", `import "../casparian.ts";`],
  ]);
});

const IMPURE = [
  `const now = Date.now();`,
  `const at = new Date();`,
  `const text = Date();`,
  `const x = Math.random();`,
  `const { now } = { now: globalThis.Date.now() };`,
  `const t = performance.now();`,
  `const id = crypto.randomUUID();`,
  `Deno.readTextFileSync("x");`,
  `Deno["readTextFileSync"]("x");`,
  `setTimeout(() => {}, 1);`,
  `await fetch("x");`,
];

Deno.test("pure-core: no clock, chance, timer, network or system in a pure file", () => {
  check("pure-core", [
    ["sentinel/core/a.ts", `const at = new Date(5); const time: Deno.FsFile | null = null;`],
    ["sentinel/core/a.ts", `function f(clock: { now(): number }) { return clock.now(); }`],
    ["sentinel/core/a_test.ts", `import fc from "fast-check"; const now = Date.now();`],
    ["sentinel/loop.ts", `setTimeout(() => {}, 1); Deno.readTextFileSync("x"); performance.now();`],
    ["sentinel/core/a.ts", `import { join } from "node:path";`],
    ["worker/a.ts", `/** Not about purity. */\nperformance.now();`],
  ], [
    ...IMPURE.map((source): [string, string] => ["sentinel/core/a.ts", source]),
    ...[
      ...["sentinel/routing.ts", "worker/session.ts", "protocol/codec.ts"],
      ...["security/manifest_reader.ts", "security/python_string.ts"],
    ].map((path): [string, string] => [path, IMPURE[0]!]),
    ["worker/a.ts", `/**\n * Adds numbers [pure].\n */\nimport "node:fs";`],
    ["sentinel/core/a.ts", `import { readFileSync } from "node:fs";`],
    ["sentinel/core/a.ts", `const a = await import("./b.ts");`],
  ]);
});

Deno.test("clock-only-in-main: programs read the clock, all else gets it handed in", () => {
  const sources = [`Date.now();`, `const jitter = Math.random;`, `const at = new Date();`];
  for (const source of sources) {
    check(
      "clock-only-in-main",
      ["sentinel/main.ts", "sentinel/scanner/thread_main.ts", "casparian.ts", "worker/a_test.ts"]
        .map((path) => [path, source]),
      [["sentinel/loop.ts", source], ["deck/commands/a.ts", source], ["worker/domain.ts", source]],
    );
  }
  check("clock-only-in-main", [["worker/a.ts", `const at = new Date(5); performance.now();`]], []);
});

Deno.test("exit-only-at-the-door: nobody else ends the process", () => {
  check("exit-only-at-the-door", [["casparian.ts", `Deno.exit(1);`]], [
    ["worker/main.ts", `Deno.exit(1);`],
    ["deck/a.ts", `globalThis.process.exit(1);`],
  ]);
});

Deno.test("sql-only-in-stores: SQL stands where the tables are", () => {
  const sql = [
    "`SELECT a\n  FROM ${b}`",
    `"INSERT OR REPLACE INTO a VALUES (1)"`,
    `"PRAGMA user_version"`,
  ];
  for (const text of sql) {
    check(
      "sql-only-in-stores",
      ["sentinel/store/a.ts", "worker/sinks/a.ts", "deck/query.ts", "tests/a.ts", "deck/a_test.ts"]
        .map((path) => [path, `use(${text});`]),
      [["sentinel/loop.ts", `use(${text});`], ["deck/a.ts", `use(${text});`]],
    );
  }
  check("sql-only-in-stores", [[
    "deck/a.ts",
    `say("Select a file", "UPDATE", "Delete from disk");`,
  ]], []);
});
