/**
 * Reads what a plugin's file says about itself, without running any of it: the literal `MANIFEST`, the
 * style of its `Handler`, and its dependencies. Publishing, the deck's editor and the command line all ask
 * here, so an author sees the same words everywhere.
 */
import { Manifest, MANIFEST_KEYS } from "../protocol/manifest.ts";
import { findHandlerStyle, type HandlerStyle } from "./handler_style.ts";
import { ManifestError } from "./manifest_error.ts";
import { nearestName } from "./nearest_name.ts";
import { readScriptBlock } from "./pep723.ts";
import { type Json, readDict, readLiteral, withoutParentheses } from "./python_literal.ts";
import {
  errorAt,
  parsePython,
  partsOf,
  placeOf,
  type PythonSource,
  refuseSyntaxErrors,
  statementsOf,
  type SyntaxNode,
  textOf,
} from "./python_syntax.ts";

export type { HandlerStyle } from "./handler_style.ts";
export { ManifestError } from "./manifest_error.ts";

type Issue = NonNullable<ReturnType<typeof Manifest.safeParse>["error"]>["issues"][number];

export interface PluginManifest {
  manifest: Manifest;
  /** The PEP 723 block's dependencies, PEP 508; `null` if the file has no such block. */
  requirements: string[] | null;
  requiresPython?: string;
  handlerStyle: HandlerStyle;
  /** Where MANIFEST stands, from 1. */
  manifestLine: number;
}

const MANIFEST_EXAMPLE = `MANIFEST = {"pattern": "*.csv", "topic": "sales"}`;

/**
 * @param source The plugin's Python source.
 * @param fileName Name or path of its file: the plugin's name, where MANIFEST gives none.
 * @throws {ManifestError} Says what is wrong, in which line, and what to write instead.
 */
export function readManifest(source: string, fileName: string): PluginManifest {
  const python = parsePython(source);
  refuseSyntaxErrors(python);
  const statement = findManifest(python);
  const manifest = checkManifest(python, manifestDict(python, statement), fileName);
  const handlerStyle = findHandlerStyle(python);
  const block = readScriptBlock(python.text);
  return {
    manifest,
    requirements: block?.requirements ?? null,
    ...(block?.requiresPython != null && { requiresPython: block.requiresPython }),
    handlerStyle,
    manifestLine: placeOf(python, statement.from).line,
  };
}

/** The one statement at the top level that sets MANIFEST. */
function findManifest(python: PythonSource): SyntaxNode {
  const [first, second] = statementsOf(python.root).filter((node) => setsManifest(python, node));
  if (first === undefined) {
    throw new ManifestError(
      `Cannot find MANIFEST at the top level of the file: add a line such as ${MANIFEST_EXAMPLE}`,
    );
  }
  if (second === undefined) return first;
  const line = placeOf(python, first.from).line;
  throw errorAt(
    python,
    second.from,
    `Cannot set MANIFEST a second time: it is set in line ${line} already; keep one of the two`,
  );
}

function setsManifest(python: PythonSource, node: SyntaxNode): boolean {
  if (node.name !== "AssignStatement" && node.name !== "UpdateStatement") return false;
  const parts = partsOf(node);
  const lastAssign = parts.findLastIndex((part) => ["AssignOp", "UpdateOp"].includes(part.name));
  return parts.slice(0, Math.max(0, lastAssign))
    .some((part) => /^\(?\s*MANIFEST\b/.test(textOf(python, part)));
}

/** The dict of `MANIFEST = {…}`, `MANIFEST: dict = {…}` or `MANIFEST = ({…})`. */
function manifestDict(python: PythonSource, statement: SyntaxNode): SyntaxNode {
  const parts = partsOf(statement).filter((part) => part.name !== "TypeDef");
  const [target, assign, value] = parts;
  const isPlain = parts.length === 3 && target!.name === "VariableName" &&
    assign!.name === "AssignOp";
  if (!isPlain) {
    throw errorAt(
      python,
      statement.from,
      `Cannot read MANIFEST as it must be set by itself, at once: write ${MANIFEST_EXAMPLE}`,
    );
  }
  const dict = withoutParentheses(python, value!);
  if (dict.name === "DictionaryExpression") return dict;
  readLiteral(python, dict); // a name, a call or broken Python has a better message of its own
  throw errorAt(
    python,
    dict.from,
    `Cannot read MANIFEST as it must be a dict: write ${MANIFEST_EXAMPLE}`,
  );
}

function checkManifest(python: PythonSource, dict: SyntaxNode, fileName: string): Manifest {
  const entries = readDict(python, dict);
  const unknown = entries.find(({ key }) => !MANIFEST_KEYS.includes(key));
  if (unknown !== undefined) throw errorAt(python, unknown.keyFrom, unknownKey(unknown.key));
  const values = new Map(entries.map(({ key, value }) => [key, readLiteral(python, value)]));
  const given = [...values].filter(([, value]) => value !== null); // None: as if not there
  const checked = Manifest.safeParse({ name: nameFrom(fileName), ...Object.fromEntries(given) });
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0]!;
  const entry = entries.find(({ key }) => key === issue.path[0]);
  throw errorAt(python, entry?.value.from ?? dict.from, describe(issue, values));
}

function unknownKey(key: string): string {
  const known = `MANIFEST may hold: ${MANIFEST_KEYS.join(", ")}`;
  if (/^(dependencies|requirements|requires)$/.test(key)) {
    return `Cannot use the key ${
      JSON.stringify(key)
    }: dependencies stand in a "# /// script" comment ` +
      `(PEP 723); ${known}`;
  }
  const nearest = nearestName(key, MANIFEST_KEYS);
  const hint = nearest === null ? known : `did you mean ${JSON.stringify(nearest)}?`;
  return `Cannot use the key ${JSON.stringify(key)}: ${hint}`;
}

function describe(issue: Issue, values: ReadonlyMap<string, Json>): string {
  const key = String(issue.path[0]);
  const value = values.get(key);
  if (value === undefined || value === null) {
    return `Cannot find ${JSON.stringify(key)} in MANIFEST: add it, as in ${MANIFEST_EXAMPLE}`;
  }
  const rule = issue.code === "invalid_key" ? issue.issues[0]!.message : issue.message;
  return `Cannot use this ${JSON.stringify(key)} as it ${rule}: got ${shown(value)}`;
}

function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}

/** "plugins/my reader.py" → "my_reader". */
function nameFrom(fileName: string): string {
  const stem = fileName.replace(/^.*[\\/]/, "").replace(/\.py$/i, "");
  return stem.replace(/[^A-Za-z0-9_.-]/g, "_").replace(/^[.-]/, "_").slice(0, 64);
}
