import assert from "node:assert/strict";
import fc from "fast-check";
import { ManifestError } from "./manifest_error.ts";
import { type Json, readLiteral } from "./python_literal.ts";
import { parsePython, partsOf } from "./python_syntax.ts";

function read(literal: string): Json {
  const python = parsePython(`X = ${literal}\n`);
  return readLiteral(python, partsOf(python.root.firstChild!)[2]!);
}

const VALUES: readonly [literal: string, value: Json][] = [
  ["None", null],
  ["True", true],
  ["False", false],
  ["0", 0],
  ["000", 0],
  ["1_000_000", 1000000],
  ["-5", -5],
  ["+5", 5],
  ["-0", 0],
  ["0xFF", 255],
  ["0x_ff", 255],
  ["0o17", 15],
  ["0B101", 5],
  ["1.5", 1.5],
  ["-1.5e-3", -0.0015],
  [".5", 0.5],
  ["30.", 30],
  ["[1., -2. , 3]", [1, -2, 3]],
  ["1.e2", 100],
  ["1_0.0_1E+1_0", 10.01e10],
  ["01.5", 1.5],
  ["9007199254740991", 9007199254740991],
  [`'a' "b"`, "ab"],
  [`('a'\n   'b'  # why\n   'c')`, "abc"],
  [`'a' \\\n 'b'`, "ab"],
  [`"""a\nb"""`, "a\nb"],
  [`''''a'''`, "'a"],
  [`'\\''`, "'"],
  [`"it's"`, "it's"],
  [`'a\\\nb'`, "ab"],
  [`r'a\\nb'`, "a\\nb"],
  [`R'\\''`, "\\'"],
  [`u'ü' U'x'`, "üx"],
  [`'\\x41\\101\\7\\u00e9\\U0001F600'`, "AA\x07é😀"],
  [`'\\a\\b\\f\\n\\r\\t\\v\\\\'`, "\x07\b\f\n\r\t\v\\"],
  [`'\\d\\8\\X41'`, "\\d\\8\\X41"],
  ["[]", []],
  ["()", []],
  ["{}", {}],
  ["(1)", 1],
  ["(1,)", [1]],
  ["(1, 2)", [1, 2]],
  ["[1, # one\n 2,\n]", [1, 2]],
  ["((('a')))", "a"],
  ["{'a': {'b': [None, (True,)]}, }", { a: { b: [null, [true]] } }],
  ["{'a' 'b': 1, ('c'): 2}", { ab: 1, c: 2 }],
];

Deno.test("readLiteral() reads a literal as Python does", async (t) => {
  for (const [literal, value] of VALUES) {
    await t.step(literal, () => assert.deepEqual(read(literal), value));
  }
});

const REFUSALS: readonly [literal: string, message: RegExp][] = [
  ["name", /`name` in MANIFEST as it is read without being run: got a name; write its value here/],
  ["dict(a=1)", /got a call; write its result/],
  ["'a'.upper()", /got a call/],
  ["os.sep", /got an expression/],
  ["f'{x}'", /got an f-string; write the finished text/],
  ["'a' f'{x}'", /`f'\{x\}'`.*f-string/],
  ["[x for x in y]", /got a comprehension; write the items out/],
  ["{k: 1 for k in y}", /got a comprehension/],
  ["[*a, 1]", /got an unpacking/],
  ["{**a}", /got an unpacking; write the keys out/],
  ["{1, 2}", /got a set; write a list/],
  ["1 + 1", /got an expression; write its result/],
  ["1 if x else 2", /got a condition/],
  ["lambda: 1", /got a function/],
  ["not True", /got an expression/],
  ["-x", /got an expression/],
  ["--1", /got an expression/],
  ["...", /got an ellipsis/],
  ["1j", /got a number it cannot hold; write it as a string/],
  ["0777", /got a number/],
  ["1__0", /got a number/],
  ["9007199254740993", /Cannot hold 9007199254740993 exactly: write it as a string/],
  ["1e999", /Cannot hold 1e999 exactly/],
  ["b'a'", /Cannot use bytes here: write a plain string/],
  ["rb'a'", /bytes/],
  ["r'a\\'", /a string without end/],
  [`'\\xg'`, /broken escape \\x; double the backslash/],
  [`'\\U00110000'`, /broken escape/],
  [`'\\N{BULLET}'`, /Cannot look up \\N\{BULLET\}/],
  [`'\\ud800'`, /surrogate/],
  ["{1: 2}", /Cannot use `1` as a key as it must be a string: quote it/],
  ["{None: 2}", /as a key/],
  ["{'a': 1,\n 'a': 2}", /^Line 2, column 2: Cannot use the key "a" twice .* in line 1$/],
  ["[1, 2", /not valid Python/],
  ["[1, , 2]", /not valid Python near ", 2\]"/],
  ["{'a': 1 'b': 2}", /not valid Python/],
  ["[".repeat(70) + "]".repeat(70), /more than 64 levels/],
];

Deno.test("readLiteral() says what to write instead of what is no literal", async (t) => {
  for (const [literal, message] of REFUSALS) {
    await t.step(literal.slice(0, 60), () => {
      assert.throws(() => read(literal), (error) => {
        assert.ok(error instanceof ManifestError);
        assert.match(error.message, message);
        return true;
      });
    });
  }
});

Deno.test("readLiteral() says where: the line and column of the part that is no literal", () => {
  assert.throws(() => read("{\n  'ü😀': 1, 'b': [2,\n    nope]}"), {
    at: { line: 3, column: 5 },
  });
  assert.throws(() => read("{'ü😀': nope}"), { at: { line: 1, column: 12 } });
});

/** Prints as Python would, in one of several spellings picked by `style`. */
function toPython(value: Json, style: number): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return numberToPython(value);
  if (typeof value === "string") return stringToPython(value, style);
  const gap = style % 2 === 0 ? " " : "\n  # a comment\n  ";
  const comma = style % 3 === 0 ? "," : "";
  if (Array.isArray(value)) {
    const items = value.map((item, index) => toPython(item, style + index)).join(`,${gap}`);
    if (style % 5 === 0 && value.length > 0) return `(${items},)`;
    return value.length === 0 ? "[]" : `[${gap}${items}${comma}]`;
  }
  const entries = Object.entries(value)
    .map(([key, item]) => `${stringToPython(key, style + 1)}:${gap}${toPython(item, style + 1)}`);
  return entries.length === 0 ? "{}" : `{${entries.join(`,${gap}`)}${comma}}`;
}

function numberToPython(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  const isFloat = !Number.isInteger(value) || `${value}`.includes("e");
  return isFloat || Number.isSafeInteger(value) ? `${value}` : `${value}.0`;
}

function stringToPython(text: string, style: number): string {
  const mustEscape = style % 2 === 1 ? text : "\\'\"\r\n\0";
  const body = [...text]
    .map((char) => mustEscape.includes(char) ? `\\U${hex8(char)}` : char)
    .join("");
  if (style % 7 === 0) return `(u"" '${body}')`;
  return style % 3 === 0 ? `"""${body}"""` : `'${body}'`;
}

function hex8(char: string): string {
  return char.codePointAt(0)!.toString(16).padStart(8, "0");
}

Deno.test("readLiteral() reads back any value that is printed as Python", () => {
  const values = fc.jsonValue({ maxDepth: 4, stringUnit: "binary" }) as fc.Arbitrary<Json>;
  fc.assert(
    fc.property(values, fc.nat(1000), (value, style) => {
      assert.deepEqual(read(toPython(value, style)), value);
    }),
    { numRuns: 500 },
  );
});
