/** Python's string literals: prefixes, quotes and escapes (reference manual, "String and Bytes literals"). */
import { errorAt, type PythonSource, type SyntaxNode, textOf } from "./python_syntax.ts";

const LITERAL = /^([a-z]*)('''|"""|'|")([\s\S]*)\2$/i;
/** The last quote is escaped: the grammar ends a string with its line, and says nothing. */
const OPEN_END = /(?<!\\)(\\\\)*\\$/;
const ESCAPE = /\\(\n|[0-7]{1,3}|x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|N\{[^}]*\}|[\s\S])/g;
const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\n", ""],
  ["\\", "\\"],
  ["'", "'"],
  ['"', '"'],
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
]);

/**
 * The value of one string literal (adjacent ones are the caller's to join).
 * @throws {ManifestError} For bytes, for escapes that Python refuses, for `\N{…}`, and for text that UTF-8
 * cannot hold.
 */
export function readString(python: PythonSource, node: SyntaxNode): string {
  const [, prefix = "", , body] = LITERAL.exec(textOf(python, node)) ?? [];
  if (body === undefined || OPEN_END.test(body)) {
    throw errorAt(python, node.from, "not valid Python: a string without end");
  }
  if (/b/i.test(prefix)) {
    throw errorAt(python, node.from, "Cannot use bytes here: write a plain string, without the b");
  }
  const value = /r/i.test(prefix) ? body : body.replace(ESCAPE, (escape, name: string) => {
    const text = readEscape(name);
    if (text === null) throw badEscape(python, node, escape);
    return text;
  });
  if (value.isWellFormed()) return value;
  throw errorAt(
    python,
    node.from,
    "Cannot use half of a surrogate pair: write the character itself",
  );
}

/** What `\name` stands for; `null` if nothing does. An unknown letter keeps its backslash, as in Python. */
function readEscape(name: string): string | null {
  const simple = SIMPLE_ESCAPES.get(name);
  if (simple !== undefined) return simple;
  if (/^[0-7]/.test(name)) return String.fromCodePoint(parseInt(name, 8));
  if (!/^[xuUN]/.test(name)) return `\\${name}`;
  const code = parseInt(name.slice(1), 16);
  return name.length > 1 && code <= 0x10ffff ? String.fromCodePoint(code) : null;
}

function badEscape(python: PythonSource, node: SyntaxNode, escape: string) {
  const rule = escape.startsWith("\\N")
    ? `Cannot look up ${escape}: write the character itself, or its \\uXXXX`
    : `not valid Python: a broken escape ${escape}; double the backslash, or write r"…"`;
  return errorAt(python, node.from, rule);
}
