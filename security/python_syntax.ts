/**
 * Python source as a syntax tree, without running any of it.
 *
 * Lezer's grammar is made for editors: it never gives up, marks what it does not understand as an error and
 * goes on. It also marks some *valid* Python (see GRAMMAR_GAPS: found in 6 % of the files of CPython's and
 * pandas' own libraries). So an error after such a place may only be its echo, and is left to Python itself,
 * which compiles the file before it runs.
 */
import { parser } from "@lezer/python";
import { ManifestError } from "./manifest_error.ts";

export const SOURCE_CHARS_MAX = 1024 * 1024;

export type SyntaxNode = ReturnType<typeof parser.parse>["topNode"];
/** `text` is what the tree's offsets count in: the source with Unix line ends and without a BOM. */
export interface PythonSource {
  text: string;
  root: SyntaxNode;
}

/** @throws {ManifestError} If the source is too long to be a plugin, or holds a NUL as binary files do. */
export function parsePython(source: string): PythonSource {
  if (source.length > SOURCE_CHARS_MAX) {
    throw new ManifestError(
      `Cannot read the plugin as it must have at most ${SOURCE_CHARS_MAX} characters: ` +
        `got ${source.length}; keep data in files of their own`,
    );
  }
  const text = source.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n");
  // A form feed, and a last line of blanks without an end, are valid Python that the grammar refuses.
  const python = { text, root: parser.parse(`${text.replaceAll("\f", " ")}\n`).topNode };
  const nul = text.indexOf("\0");
  if (nul >= 0) {
    throw errorAt(
      python,
      nul,
      "Cannot read the plugin as it must be text: got a NUL byte; save it as UTF-8",
    );
  }
  return python;
}

/** @throws {ManifestError} If the file certainly is not Python; a doubtful case is left to Python. */
export function refuseSyntaxErrors(python: PythonSource): void {
  const error = firstSyntaxError(python.root);
  if (error !== null && !isGrammarGap(python, error)) throw syntaxError(python, error);
}

export function syntaxError(python: PythonSource, error: SyntaxNode): ManifestError {
  const near = python.text.slice(error.from).trimStart().split("\n", 1)[0]!.slice(0, 40);
  const what = near === "" ? "at the end of the file" : `near ${JSON.stringify(near)}`;
  return errorAt(python, error.from, `not valid Python ${what}`);
}

export function firstSyntaxError(node: SyntaxNode): SyntaxNode | null {
  if (node.type.isError) return node;
  const cursor = node.cursor(); // a loop and not a recursion: the nesting is the author's choice
  while (cursor.next() && cursor.from <= node.to) {
    if (cursor.type.isError) return cursor.to <= node.to ? cursor.node : null;
  }
  return null;
}

/** Valid Python that the grammar marks as an error, recognised by what stands around the mark. */
const GRAMMAR_GAPS: readonly ((python: PythonSource, error: SyntaxNode) => boolean)[] = [
  /** `yield` without a value. */
  (_, error) => /^Yield/.test(error.parent!.name),
  /** `1.`: the dot is taken for an attribute's. */
  (_, error) =>
    error.parent!.name === "MemberExpression" && error.parent!.firstChild!.name === "Number",
  /** `with (open(a) as f, open(b) as g):`, `with x as (a, b):`, `with x as self.file:`. */
  (_, error) => isInHeadOf("WithStatement", error),
  (python, error) =>
    /\bas\s*$/.test(before(python, error)) || /^\s*as\b/.test(after(python, error)),
  /** `case Point():` */
  (_, error) => isInHeadOf("MatchStatement", error),
  /** `for first, *rest in rows` within a comprehension. */
  (python, error) => /^\s*\*/.test(after(python, error)),
  /** `def f[T: int](…)`, and `t"…"` of Python 3.14. */
  (_, error) => isInHeadOf("TypeParamList", error),
  (python, error) => /\b(t|rt|tr)$/i.test(before(python, error)),
  /** A line's end alone, seen once after a comment in 57 MB of Python: no author's mistake. */
  (python, error) => textOf(python, error) === "\n" && error.parent!.name !== "String",
];

function isGrammarGap(python: PythonSource, error: SyntaxNode): boolean {
  return GRAMMAR_GAPS.some((isGap) => isGap(python, error));
}

function before(python: PythonSource, node: SyntaxNode): string {
  return python.text.slice(Math.max(0, node.from - 40), node.from);
}

function after(python: PythonSource, node: SyntaxNode): string {
  return python.text.slice(node.from, node.from + 40);
}

/** Whether the node stands in the head of such a statement, and not in a block of it. */
function isInHeadOf(statement: string, node: SyntaxNode): boolean {
  for (let parent = node.parent; parent !== null; parent = parent.parent) {
    if (parent.name === statement) return true;
    if (parent.name === "Body") return false;
  }
  return false;
}

export function errorAt(python: PythonSource, offset: number, problem: string): ManifestError {
  return new ManifestError(problem, placeOf(python, offset));
}

/** Line and column of an offset, both from 1; columns count characters, as editors do. */
export function placeOf(python: PythonSource, offset: number): { line: number; column: number } {
  const lines = python.text.slice(0, offset).split("\n");
  return { line: lines.length, column: [...lines.at(-1)!].length + 1 };
}

/** The parts of a node that mean something: its children without comments. */
export function partsOf(node: SyntaxNode): SyntaxNode[] {
  const parts: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (child.name !== "Comment") parts.push(child);
  }
  return parts;
}

/** The statements of a module or of a class's body, also those that share a line or carry a decorator. */
export function statementsOf(body: SyntaxNode): SyntaxNode[] {
  return partsOf(body).flatMap((part) => {
    if (part.name === "StatementGroup") return statementsOf(part);
    if (part.name === "DecoratedStatement") return partsOf(part).slice(-1);
    return [part];
  });
}

export function textOf(python: PythonSource, node: SyntaxNode): string {
  return python.text.slice(node.from, node.to);
}
