// What no compiler checks and a reviewer would have to: each rule names every file that breaks it.
// That PROTOCOL.md keeps up with the tables is tested in tests/protocol_document_test.ts, that pure files
// stay pure across imports in tests/imports_test.ts.
import assert from "node:assert/strict";
import denoJson from "../../deno.json" with { type: "json" };
import { placeOf, targetOf } from "./places.ts";
import { type ProjectFile, projectFiles } from "./project_files.ts";

const LINES_MAX = 400;
/** Files that were longer when the rule came; they may only get shorter. */
const LINES_GRANTED = new Map([
  ["worker/job_runner_test.ts", 412],
  ["worker/templates_test.ts", 440],
]);

const files = projectFiles();
const byPath = new Map(files.map((file) => [file.path, file]));
const code = files.filter(({ path }) => /\.(ts|tsx|py)$/.test(path));
const scripts = files.filter(({ path }) => /\.tsx?$/.test(path));

function text(path: string): string {
  const file = byPath.get(path);
  assert.ok(file, `${path} is missing`);
  return file.text;
}

function noneBreaks(rule: string, offenders: string[]): void {
  assert.deepEqual(offenders, [], rule);
}

Deno.test("the files that the rules are about are there", () => {
  assert.ok(code.length > 100, `${code.length} files of code`);
  assert.ok(byPath.has("casparian.ts"));
});

Deno.test("no file names a machine that it was made on or a package registry", () => {
  const private_ = [
    /registry\.npmjs|npm\.jsr\.io|(?<!\w)jsr\.io|pypi\.org|pythonhosted\.org/,
    /(?<![\w.\\/])\/(work|root)\//,
    /\.\.\/shared\//,
  ];
  const offenders = files.filter(({ text }) => private_.some((pattern) => pattern.test(text)));
  noneBreaks("names a private path or a registry", offenders.map(({ path }) => path));
});

Deno.test("deno.lock names no host, so that any mirror serves", () => {
  assert.doesNotMatch(text("deno.lock"), /:\/\//);
});

Deno.test(`no file of code is longer than ${LINES_MAX} lines`, () => {
  const lines = ({ text }: ProjectFile) => text.trimEnd().split("\n").length;
  const long = code.filter((file) => lines(file) > (LINES_GRANTED.get(file.path) ?? LINES_MAX));
  noneBreaks("too long: split it by ideas", long.map((file) => `${file.path}: ${lines(file)}`));
});

Deno.test("no code is left unfinished", () => {
  const unfinished = /\b(TODO|FIXME|XXX|HACK)\b/;
  const offenders = code.filter(({ path, text }) => {
    return !path.startsWith("tests/tidy/") && unfinished.test(text);
  });
  noneBreaks("unfinished", offenders.map(({ path }) => path));
});

Deno.test("docs/dependencies.md tells of every dependency, with its version", () => {
  const told = text("docs/dependencies.md");
  for (const specifier of Object.values(denoJson.imports)) {
    const [, name, version] = /^npm:(.+)@(.+)$/.exec(specifier) ?? [];
    assert.ok(name && version, `${specifier} must be pinned`);
    const rows = told.split("\n").filter((line) => line.includes(`\`${name}\``));
    assert.ok(rows.some((row) => row.includes(version)), `${name} ${version} is not told of`);
  }
});

Deno.test("no file is dead: a program, a test or a script comes by each", () => {
  const reached = new Set<string>();
  const ahead = scripts.map(({ path }) => path).filter((path) => {
    return path === "casparian.ts" || path.startsWith("tests/") || /_test\.tsx?$/.test(path) ||
      mentioned(path);
  });
  for (let path = ahead.pop(); path !== undefined; path = ahead.pop()) {
    if (reached.has(path) || !byPath.has(path)) continue;
    reached.add(path);
    ahead.push(...importsOf(path, text(path)));
  }
  noneBreaks(
    "nobody imports it",
    scripts.map(({ path }) => path).filter((path) => !reached.has(path)),
  );
});

/** Started by a task of deno.json. */
function mentioned(path: string): boolean {
  return Object.values(denoJson.tasks).some((task) => task.split(/\s+/).includes(path));
}

/** Targets of imports and of `new URL("./x.ts", import.meta.url)`, as paths of the project. */
function importsOf(path: string, text: string): string[] {
  const specifiers = [...text.matchAll(/"(\.\.?\/[^"\s]+\.(?:ts|tsx|json))"/g)].map((match) =>
    match[1]!
  );
  return specifiers.map((specifier) => targetOf(placeOf(path), specifier)!);
}

Deno.test("the tree is formatted and keeps our lint rules: import direction, pure core, SQL in stores", async () => {
  for (const args of [["fmt", "--check"], ["lint"]]) {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args,
      cwd: new URL("../../", import.meta.url),
      env: { NO_COLOR: "1" },
      stdout: "null",
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  }
});
