import assert from "node:assert/strict";
import { ManifestError } from "./manifest_error.ts";
import { readScriptBlock } from "./pep723.ts";

const block = (...lines: string[]) =>
  ['"""A plugin."""', "# /// script", ...lines, "# ///", "import polars", ""].join("\n");

Deno.test("readScriptBlock() knows a file without a block from one with an empty block", () => {
  assert.equal(readScriptBlock("import pandas\n# dependencies = ['x']\n"), null);
  assert.deepEqual(readScriptBlock(block()), { requirements: [], requiresPython: null });
});

Deno.test("readScriptBlock() reads dependencies and requires-python in all their spellings", () => {
  const found = readScriptBlock(block(
    '# requires-python = ">=3.11,<3.14"  # as tested',
    "#",
    "# dependencies = [  # each with its reason",
    '#   "polars>=1.0",  # fast [and] "quoted"',
    "#   'openpyxl',",
    "#",
    "#   \"lxml[html5]==5.* ; python_version < '3.14'\",",
    '#   "mine @ file:///srv/mine-1.0-py3-none-any.whl",',
    "# ]",
    "# [tool.ruff]",
    "# line-length = 100",
    '# select = ["E",',
    '#   "F"]',
  ));
  assert.deepEqual(found, {
    requirements: [
      "polars>=1.0",
      "openpyxl",
      "lxml[html5]==5.* ; python_version < '3.14'",
      "mine @ file:///srv/mine-1.0-py3-none-any.whl",
    ],
    requiresPython: ">=3.11,<3.14",
  });
  const quoted = readScriptBlock(
    block(String.raw`# "dependencies" = ["a\u002d\"b\""]`.replace('\\"b\\"', "b")),
  );
  assert.deepEqual(quoted?.requirements, ["a-b"]);
});

const REFUSALS: readonly [name: string, source: string, line: number, message: RegExp][] = [
  ["no end", "# /// script\n# dependencies = []\n\nimport x\n", 1, /Cannot find the end/],
  ["no blank after #", "# /// script\n#dependencies = []\n# ///\n", 1, /start each line with "# "/],
  ["two blocks", block() + block(), 6, /second .* first is in line 2/],
  ["no list", block('# dependencies = "polars"'), 3, /Cannot read the list: write \["first"/],
  ["open list", block('# dependencies = ["polars"'), 3, /Cannot find "," or "\]"/],
  ["numbers", block("#", "# dependencies = [1]"), 4, /write a string in quotes/],
  ["no value", block("# requires-python ="), 3, /write a string in quotes/],
  ["open string", block('# requires-python = "3.11'), 3, /write a string in quotes/],
  ["long string", block("# requires-python = '''", "# 3.11'''"), 3, /several lines/],
  ["text after", block('# requires-python = "3.11" 5'), 3, /what follows the value/],
  ["bad escape", block(String.raw`# dependencies = ["a\d"]`), 3, /the escape \\d/],
  ["no equals", block("# dependencies"), 3, /Cannot find "=" after dependencies/],
  ["not a key", block("# = 3"), 3, /Cannot read this line/],
  ["other key", block('# python = "3.11"'), 3, /Cannot use the key python: only dependencies/],
  ["key twice", block("# dependencies = []", "# dependencies = []"), 4, /dependencies twice/],
  [
    "uv's table",
    block("# dependencies = []", "# [tool.uv]"),
    4,
    /Cannot use the table \[tool\.uv\]/,
  ],
  ["uv's index", block("# [[tool.uv.index]]", '# url = "x"'), 3, /\[tool\.uv\.index\]/],
  ["a version", block('# requires-python = "new"'), 3, /"new" as requires-python/],
  ["an option", block('# dependencies = ["-r other.txt"]'), 3, /"-r other.txt" as a dependency/],
  ["an index", block('# dependencies = ["--index-url=x"]'), 3, /as a dependency/],
  ["two lines", block(String.raw`# dependencies = ["a>1\n-r b"]`), 3, /as a dependency/],
  ["empty", block('# dependencies = [""]'), 3, /"" as a dependency/],
];

Deno.test("readScriptBlock() refuses a malformed block at its line", async (t) => {
  for (const [name, source, line, message] of REFUSALS) {
    await t.step(name, () => {
      assert.throws(() => readScriptBlock(source), (error) => {
        assert.ok(error instanceof ManifestError);
        assert.match(error.message, message);
        assert.equal(error.at?.line, line);
        return true;
      });
    });
  }
});
