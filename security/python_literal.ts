/** Values out of Python's literals, read from the syntax tree: what `ast.literal_eval` takes, as JSON has it. */
import {
  errorAt,
  firstSyntaxError,
  partsOf,
  type PythonSource,
  syntaxError,
  type SyntaxNode,
  textOf,
} from "./python_syntax.ts";
import { readString } from "./python_string.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
/** One `key: value` of a dict display, the value still to be read. */
export interface DictEntry {
  key: string;
  keyFrom: number;
  value: SyntaxNode;
}

const NESTING_MAX = 64;
const INTEGER = /^(0(_?0)*|[1-9](_?\d)*|0x(_?[\da-f])+|0o(_?[0-7])+|0b(_?[01])+)$/i;
const DIGITS = String.raw`\d(_?\d)*`;
const FLOAT = new RegExp(
  `^((${DIGITS})?\\.${DIGITS}(e[+-]?${DIGITS})?|${DIGITS}\\.(e[+-]?${DIGITS})?|${DIGITS}e[+-]?${DIGITS})$`,
  "i",
);

/** @throws {ManifestError} At the first part that is not a literal, saying what to write instead. */
export function readLiteral(python: PythonSource, node: SyntaxNode, nesting = 0): Json {
  if (nesting > NESTING_MAX) {
    throw errorAt(
      python,
      node.from,
      `Cannot read more than ${NESTING_MAX} levels: make it flatter`,
    );
  }
  switch (node.name) {
    case "String":
      return readString(python, node);
    case "ContinuedString":
      return partsOf(node).map((part) => readStringPart(python, part)).join("");
    case "Boolean":
      return textOf(python, node) === "True";
    case "None":
      return null;
    case "Number":
    case "MemberExpression": // the grammar's idea of `30.`
      return readNumber(python, node, node, 1);
    case "UnaryExpression":
      return readSigned(python, node);
    case "ParenthesizedExpression":
      return readLiteral(python, withoutParentheses(python, node), nesting + 1);
    case "ArrayExpression":
    case "TupleExpression":
      return insideOf(python, node).map((item) => readLiteral(python, item, nesting + 1));
    case "DictionaryExpression":
      return Object.fromEntries(
        readDict(python, node).map(({ key, value }) => [
          key,
          readLiteral(python, value, nesting + 1),
        ]),
      );
    default:
      throw notLiteral(python, node);
  }
}

/** The entries of a dict display, in order; keys must be strings and differ. */
export function readDict(python: PythonSource, node: SyntaxNode): DictEntry[] {
  const entries: DictEntry[] = [];
  const seen = new Map<string, number>();
  const parts = insideOf(python, node);
  for (let at = 0; at < parts.length; at += 3) {
    const [keyNode, colon, value] = parts.slice(at, at + 3);
    if (keyNode === undefined || colon?.name !== ":" || value === undefined) {
      throw notLiteral(python, keyNode ?? node);
    }
    const key = readKey(python, keyNode);
    const firstFrom = seen.get(key);
    if (firstFrom !== undefined) throw duplicateKey(python, key, firstFrom, keyNode.from);
    seen.set(key, keyNode.from);
    entries.push({ key, keyFrom: keyNode.from, value });
  }
  return entries;
}

/** The one expression within any number of parentheses, or the node itself. */
export function withoutParentheses(python: PythonSource, node: SyntaxNode): SyntaxNode {
  let inner = node;
  while (inner.name === "ParenthesizedExpression") inner = insideOf(python, inner)[0]!;
  return inner;
}

/** What stands between a display's brackets, without the commas: at least one for parentheses. */
function insideOf(python: PythonSource, node: SyntaxNode): SyntaxNode[] {
  const parts = partsOf(node);
  const isClosed = [")", "]", "}"].includes(parts.at(-1)!.name);
  const wrong = isClosed ? parts.find((part) => ["*", "⚠"].includes(part.name)) : node;
  if (wrong !== undefined) throw notLiteral(python, wrong);
  return parts.slice(1, -1).filter((part) => part.name !== ",");
}

function readKey(python: PythonSource, node: SyntaxNode): string {
  if (node.name === "**") throw notLiteral(python, node);
  const inner = withoutParentheses(python, node);
  if (/String$/.test(inner.name)) return readLiteral(python, inner) as string;
  const text = shortText(python, node);
  throw errorAt(python, node.from, `Cannot use ${text} as a key as it must be a string: quote it`);
}

function readStringPart(python: PythonSource, node: SyntaxNode): string {
  if (node.name !== "String") throw notLiteral(python, node);
  return readString(python, node);
}

function readSigned(python: PythonSource, node: SyntaxNode): number {
  const [sign, operand] = partsOf(node);
  const isSign = sign !== undefined && ["-", "+"].includes(textOf(python, sign));
  if (!isSign || operand === undefined) throw notLiteral(python, node);
  return readNumber(python, node, operand, textOf(python, sign) === "-" ? -1 : 1);
}

function readNumber(
  python: PythonSource,
  whole: SyntaxNode,
  node: SyntaxNode,
  sign: 1 | -1,
): number {
  const text = textOf(python, node).trimEnd(); // the grammar's `30. ` ends with its blanks
  const isInteger = INTEGER.test(text);
  if (!isInteger && !FLOAT.test(text)) throw notLiteral(python, whole);
  const value = Number(text.replaceAll("_", ""));
  if (isInteger ? !Number.isSafeInteger(value) : !Number.isFinite(value)) {
    throw errorAt(python, node.from, `Cannot hold ${text} exactly: write it as a string`);
  }
  return isInteger && value === 0 ? 0 : sign * value;
}

const ADVICE: Readonly<Record<string, string>> = {
  VariableName: "a name; write its value here",
  CallExpression: "a call; write its result here",
  FormatString: "an f-string; write the finished text",
  BinaryExpression: "an expression; write its result here",
  ConditionalExpression: "a condition; write one value",
  SetExpression: "a set; write a list: […]",
  LambdaExpression: "a function; keep it out of MANIFEST",
  Ellipsis: "an ellipsis; write a value",
  "*": "an unpacking; write the items out",
  "**": "an unpacking; write the keys out",
  Number: "a number it cannot hold; write it as a string",
};

function notLiteral(python: PythonSource, node: SyntaxNode) {
  const error = firstSyntaxError(node);
  if (error !== null) return syntaxError(python, error);
  const advice = ADVICE[node.name] ??
    (node.name.includes("Comprehension")
      ? "a comprehension; write the items out"
      : "an expression; write its value here");
  return errorAt(
    python,
    node.from,
    `Cannot use ${
      shortText(python, node)
    } in MANIFEST as it is read without being run: got ${advice}`,
  );
}

function duplicateKey(python: PythonSource, key: string, firstFrom: number, from: number) {
  const line = python.text.slice(0, firstFrom).split("\n").length;
  return errorAt(
    python,
    from,
    `Cannot use the key ${
      JSON.stringify(key)
    } twice as Python would drop the first, in line ${line}`,
  );
}

function shortText(python: PythonSource, node: SyntaxNode): string {
  const text = textOf(python, node).replace(/\s+/g, " ");
  return `\`${text.length <= 40 ? text : `${text.slice(0, 39)}…`}\``;
}
