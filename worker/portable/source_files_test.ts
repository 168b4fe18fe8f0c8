import assert from "node:assert/strict";
import { sourceFiles } from "./source_files.ts";

/** A project of files that are given by their text. */
function project(files: Record<string, string>) {
  return {
    readText: (path: string) => files[path] ?? null,
    filesBelow: (folder: string) =>
      Object.keys(files).filter((path) => path.startsWith(`${folder}/`)),
  };
}

const FILES = {
  "casparian.ts": `import "commander";
    const rooms = () => [import("./worker/main.ts"), import("./sentinel/main.ts")];`,
  "worker/main.ts": `import { a } from "../protocol/a.ts"; import * as z from "zod";`,
  "worker/main_test.ts": `import fc from "fast-check"; import "./main.ts";`,
  "worker/pool.ts": `new Worker(new URL("./thread.ts", import.meta.url), { type: "module" })`,
  "worker/thread.ts": `import.meta.resolve("parquet-wasm/esm/x.wasm"); import "./main.ts";`,
  "worker/launch.sh": "",
  "sentinel/main.ts": `import picomatch from "picomatch";`,
  "sentinel/0001.sql": "",
  "protocol/a.ts": `import "../worker/pool.ts"; // not "./gone.ts"`,
  "shim/bridge.py": "",
  "shim/test_bridge.py": "",
  "shim/__pycache__/bridge.pyc": "",
  "shim/.hidden": "",
};
const IMPORTS = ["zod", "commander", "fast-check", "parquet-wasm", "picomatch", "parquet"];

Deno.test("a bundle holds what the front door leads to, threads and other languages too, and no test", () => {
  const rooms = ["worker", "sentinel", "protocol", "shim"];
  const { files, packages } = sourceFiles(project(FILES), rooms, IMPORTS);
  assert.deepEqual(files, [
    ...["casparian.ts", "protocol/a.ts", "sentinel/0001.sql", "sentinel/main.ts", "shim/bridge.py"],
    ...["worker/launch.sh", "worker/main.ts", "worker/pool.ts", "worker/thread.ts"],
  ]);
  assert.deepEqual(packages, ["commander", "parquet-wasm", "picomatch", "zod"]);
});

Deno.test("a bundle of some rooms holds nothing of the others, nor the packages of those alone", () => {
  const { files, packages } = sourceFiles(project(FILES), ["worker", "protocol"], IMPORTS);
  assert.ok(files.every((path) => !/^(sentinel|shim)/.test(path)), files.join());
  assert.deepEqual(packages, ["commander", "parquet-wasm", "zod"]);
});
