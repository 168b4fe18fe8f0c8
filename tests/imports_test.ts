// Imports go one way, and what decides does nothing: ARCHITECTURE.md, "Import rules".
import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));

/** What the files of a room may import, beside Deno's own `node:` parts: rooms and packages. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: ["protocol", "zod"],
  security: ["protocol", "security", "@lezer/python"],
  sentinel: ["protocol", "security", "sentinel", "commander", "picomatch", "zod"],
  worker: ["protocol", "security", "worker", "apache-arrow", "commander", "parquet-wasm", "zod"],
  deck: ["protocol", "security", "deck", "commander", "deno.json", "zod"],
  demo: ["demo"],
};
/** The one file of a room that others may import; protocol and security are open, file by file. */
const ENTRY = "main.ts";
/** What tests and their tools need beyond that. */
const TEST_FILE = /_test\.ts$|\/testing\.ts$|\/test_tools\.ts$|\/scan_world\.ts$/;

/** Files that decide and do nothing: they say so, or lie where all do. */
const PURE_PLACE = /^sentinel\/core\//;
const PURE_MARK = /^\s*\*?.*\[pure\]/m;
const IMPURE = /\bDeno\.|\bDate\.now\b|\bMath\.random\b|\bset(Timeout|Interval)\b|\bfetch\(/;
const PURE_BUILT_IN = /^node:(path|buffer)$/;
const PURE_PACKAGES = ["zod", "picomatch", "@lezer/python", "apache-arrow"];

interface SourceFile {
  path: string;
  room: string;
  text: string;
  /** Without comments. */
  code: string;
  imports: { to: string; typeOnly: boolean }[];
}

const files = await sourceFiles();
const byPath = new Map(files.map((file) => [file.path, file]));

Deno.test("every room imports only what it may", () => {
  for (const { path, room, imports } of files) {
    const allowed = MAY_IMPORT[room];
    if (!allowed || TEST_FILE.test(path)) continue;
    for (const { to } of imports) {
      if (to.startsWith("node:")) continue;
      assert.ok(allowed.includes(nameOf(to)), `${path} may not import ${to}`);
    }
  }
});

Deno.test("a room is entered by its main.ts only, but for protocol and security", () => {
  const open = ["protocol", "security", "tests", "node_modules"];
  for (const { path, room, imports } of files.filter(({ room }) => room !== "tests")) {
    for (const { to } of imports.filter(({ to }) => byPath.has(to))) {
      const target = byPath.get(to)!.room;
      if (target === room || open.includes(target) || TEST_FILE.test(path)) continue;
      assert.equal(to, `${target}/${ENTRY}`, `${path} may not reach into ${to}`);
    }
  }
});

Deno.test("pure files, and all that they import, touch no clock, chance, file, socket or timer", () => {
  const pure = files.filter(isPure);
  assert.ok(pure.length > 20, `only ${pure.length} pure files found`);
  const checked = new Set<string>();
  for (const file of pure) checkPure(file, checked);
});

Deno.test("time and chance come in at main.ts, SQL stays in the store, only casparian.ts exits", () => {
  const sources = files.filter(({ path, room }) => !TEST_FILE.test(path) && room !== "tests");
  const where = (pattern: RegExp) =>
    sources.filter(({ code }) => pattern.test(code)).map(({ path }) => path);
  for (const path of where(/\bDate\.now\b|\bMath\.random\b/)) {
    // A thread and the sink's default have no main.ts above them.
    const known = ["casparian.ts", "sentinel/scanner/thread_main.ts", "worker/sinks/parquet.ts"];
    assert.ok(path.endsWith(`/${ENTRY}`) || known.includes(path), `${path} asks the clock itself`);
  }
  for (const path of where(/\b(SELECT .+ FROM|INSERT INTO|CREATE TABLE)\b/)) {
    assert.match(path, /^sentinel\/store\//, `${path} holds SQL`);
  }
  for (const path of where(/\bDeno\.exit\(/)) assert.equal(path, "casparian.ts");
});

/** The whole of protocol is pure but for ZeroMQ. */
function isPure({ path, room, text }: SourceFile): boolean {
  if (TEST_FILE.test(path)) return false;
  if (room === "protocol") return !path.startsWith("protocol/zeromq");
  return PURE_PLACE.test(path) || PURE_MARK.test(commentOf(text));
}

function checkPure({ path, code, imports }: SourceFile, checked: Set<string>): void {
  if (checked.has(path)) return;
  checked.add(path);
  assert.doesNotMatch(code, IMPURE, `${path} is, or is used by, what is pure`);
  for (const { to, typeOnly } of imports) {
    if (typeOnly || PURE_BUILT_IN.test(to)) continue;
    const target = byPath.get(to);
    if (target) checkPure(target, checked);
    else assert.ok(PURE_PACKAGES.includes(nameOf(to)), `${path} is pure and may not use ${to}`);
  }
}

/** The first doc comment of a file. */
function commentOf(text: string): string {
  return /\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? "";
}

/** A path's room, or a package's name. */
function nameOf(to: string): string {
  return /^(@[^/]+\/[^/]+|[^/]+)/.exec(to)![0];
}

async function sourceFiles(): Promise<SourceFile[]> {
  const found: SourceFile[] = [];
  for await (const path of typescriptBelow(PROJECT)) {
    const text = await Deno.readTextFile(path);
    const code = text.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, "");
    const own = relative(PROJECT, path);
    const room = own.includes("/") ? own.split("/")[0]! : own;
    found.push({ path: own, room, text, code, imports: importsOf(code, own) });
  }
  return found;
}

/** Static imports, re-exports and `import()`, relative ones as paths from the project's folder. */
function importsOf(code: string, path: string): SourceFile["imports"] {
  const statements = code.matchAll(
    /\b(?:import|export)\s+(type\s)?[^;"'()]*?\bfrom\s+"([^"]+)"|\bimport\s*\(?\s*"([^"]+)"/g,
  );
  return Array.from(statements, ([, type, from, bare]) => {
    const to = from ?? bare!;
    return {
      to: to.startsWith(".") ? join(dirname(path), to) : to,
      typeOnly: type !== undefined,
    };
  });
}

async function* typescriptBelow(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (name.startsWith(".") || name === "node_modules" || name === "dist") continue;
    const path = join(folder, name);
    if (isDirectory) yield* typescriptBelow(path);
    else if (/\.tsx?$/.test(name)) yield path;
  }
}
