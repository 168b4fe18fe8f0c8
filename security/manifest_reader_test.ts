import assert from "node:assert/strict";
import fc from "fast-check";
import { ManifestError, readManifest } from "./manifest_reader.ts";
import { SOURCE_CHARS_MAX } from "./python_syntax.ts";

const HANDLER = "class Handler:\n    def execute(self, file_path):\n        yield 1\n";
const plugin = (manifest: string) => `MANIFEST = ${manifest}\n${HANDLER}`;

function refusal(source: string, fileName = "my.py"): ManifestError {
  try {
    readManifest(source, fileName);
  } catch (error) {
    assert.ok(error instanceof ManifestError, `${error}`);
    return error;
  }
  assert.fail(`took ${JSON.stringify(source)}`);
}

Deno.test("readManifest() fills in every default of a short manifest", () => {
  assert.deepEqual(
    readManifest(`"""Doc."""\n${plugin('{"pattern": "*.csv"}')}`, "/a b/my reader.py"),
    {
      manifest: {
        pattern: ["*.csv"],
        name: "my_reader",
        version: "0",
        topic: "my_reader",
        tags: [],
        priority: 0,
        isolation: "plugin",
        config: {},
      },
      requirements: null,
      handlerStyle: "execute",
      manifestLine: 2,
    },
  );
});

Deno.test("readManifest() reads every field, and the block of dependencies", () => {
  const found = readManifest(
    `# /// script
# requires-python = ">=3.11"
# dependencies = ["polars"]
# ///
import polars; VERSION = "1"
MANIFEST: dict = ({
    "name": "Invoices", "version": "1.2.0", "pattern": ("in/*.xml", "**/*.inv"),
    "topics": {"invoices": {"total": "decimal"}, "lines": None}, "tags": ["finance"],
    "priority": -5, "timeout_s": 2.5, "memory_mb": 512, "retries": 0, "isolation": "job",
    "python": ">=3.10,<3.14", "schema": [1], "expect": {"rows": 1}, "config": {"a": {"b": 1}},
})
@final
class Handler(Base):
    def consume(self, event): ...
`.replaceAll("\n", "\r\n"),
    "x.py",
  );
  assert.deepEqual(found, {
    manifest: {
      pattern: ["in/*.xml", "**/*.inv"],
      name: "Invoices",
      version: "1.2.0",
      topic: "invoices",
      topics: { invoices: { total: "decimal" }, lines: null },
      tags: ["finance"],
      priority: -5,
      timeout_s: 2.5,
      memory_mb: 512,
      retries: 0,
      isolation: "job",
      python: ">=3.10,<3.14",
      schema: [1],
      expect: { rows: 1 },
      config: { a: { b: 1 } },
    },
    requirements: ["polars"],
    requiresPython: ">=3.11",
    handlerStyle: "consume",
    manifestLine: 6,
  });
});

const MISTAKES: readonly [
  name: string,
  source: string,
  line: number | undefined,
  message: RegExp,
][] = [
  [
    "an empty file",
    "",
    undefined,
    /Cannot find MANIFEST at the top level .* add a line such as MANIFEST/,
  ],
  [
    "within a function",
    `def f():\n    MANIFEST = {}\n${HANDLER}`,
    undefined,
    /Cannot find MANIFEST/,
  ],
  ["only an annotation", `MANIFEST: dict\n${HANDLER}`, undefined, /Cannot find MANIFEST/],
  ["another name", `MANIFEST_2 = {"pattern": "*"}\n${HANDLER}`, undefined, /Cannot find MANIFEST/],
  ["set twice", `MANIFEST = {}\n${plugin("{}")}`, 2, /second time: it is set in line 1 already/],
  ["updated", `MANIFEST = {}\nx = 1; MANIFEST |= {"pattern": "*"}\n`, 2, /second time/],
  ["an item set later", `MANIFEST = {}\nMANIFEST["pattern"] = "*"\n`, 2, /second time/],
  ["unpacked", `a, MANIFEST = 1, {}\n${HANDLER}`, 1, /must be set by itself/],
  ["chained", `A = MANIFEST = {}\n${HANDLER}`, 1, /must be set by itself/],
  ["a list", plugin("[1]"), 1, /must be a dict/],
  ["a call", plugin("dict(pattern='*')"), 1, /`dict\(pattern='\*'\)`.*got a call/],
  [
    "a name inside",
    plugin(`{\n  "pattern": PATTERN}`),
    2,
    /^Line 2, column 14: .*`PATTERN`.*a name/,
  ],
  ["an f-string inside", plugin('{"pattern": f"*.{x}"}'), 1, /f-string/],
  ["a key twice", plugin('{"pattern": "a",\n"pattern": "b"}'), 2, /"pattern" twice/],
  [
    "no pattern",
    plugin('{"topic": "a"}'),
    1,
    /Cannot find "pattern" in MANIFEST: add it, as in MANIFEST/,
  ],
  ["pattern None", plugin('{"pattern": None}'), 1, /Cannot find "pattern"/],
  ["no patterns", plugin('{"pattern": []}'), 1, /must be at least one glob: got \[\]/],
  [
    "an absolute pattern",
    plugin('{"pattern": "/data/*.csv"}'),
    1,
    /seen from the source root: got/,
  ],
  [
    "a climbing pattern",
    plugin('{"pattern": ["*.a", "../*.csv"]}'),
    1,
    /seen from the source root/,
  ],
  ["a pattern of blanks", plugin('{"pattern": " "}'), 1, /must be a glob/],
  [
    "a misspelt key",
    plugin('{\n"patern": "*"}'),
    2,
    /Cannot use the key "patern": did you mean "pattern"\?/,
  ],
  ["a key's beginning", plugin('{"timeout": 5}'), 1, /did you mean "timeout_s"\?/],
  [
    "a key like none",
    plugin('{"colour": 5}'),
    1,
    /"colour": MANIFEST may hold: pattern, name, version/,
  ],
  ["dependencies", plugin('{"requirements": []}'), 1, /stand in a "# \/\/\/ script" comment/],
  ["__proto__", plugin('{"pattern": "*", "__proto__": {}}'), 1, /the key "__proto__"/],
  ["a bad topic", plugin('{"pattern": "*", "topic": "a/b"}'), 1, /at most 128 letters.*got "a\/b"/],
  [
    "a bad topic's list",
    plugin('{"pattern": "*", "topics": [1]}'),
    1,
    /must be a list of topic names/,
  ],
  ["a bad topic in a list", plugin('{"pattern": "*", "topics": ["-a"]}'), 1, /at most 128 letters/],
  ["no topics", plugin('{"pattern": "*", "topics": []}'), 1, /at least one topic/],
  [
    "a bad name",
    plugin('{"pattern": "*", "name": "../x"}'),
    1,
    /"name" as it must be a name of at most 64/,
  ],
  [
    "a version number",
    plugin('{"pattern": "*", "version": 1.2}'),
    1,
    /must be a string such as "1.2": got 1.2/,
  ],
  ["a time of 0", plugin('{"pattern": "*", "timeout_s": 0}'), 1, /more than 0 seconds: got 0/],
  [
    "a text for a number",
    plugin('{"pattern": "*", "timeout_s": "5"}'),
    1,
    /a number of seconds: got "5"/,
  ],
  ["half a megabyte", plugin('{"pattern": "*", "memory_mb": 0.5}'), 1, /whole number from 1 to/],
  ["retries 11", plugin('{"pattern": "*", "retries": 11}'), 1, /whole number from 0 to 10: got 11/],
  [
    "a raise that is none",
    plugin('{"pattern": "*", "memory_mb": 5, "memory_mb_max": 5}'),
    1,
    /more than memory_mb: got 5/,
  ],
  ["priority 101", plugin('{"pattern": "*", "priority": 101}'), 1, /from -100 to 100: got 101/],
  [
    "isolation",
    plugin('{"pattern": "*", "isolation": "none"}'),
    1,
    /"plugin" or "job": got "none"/,
  ],
  [
    "python",
    plugin('{"pattern": "*", "python": 3.11}'),
    1,
    /a string such as "3.11" or ">=3.10": got 3.11/,
  ],
  [
    "config",
    plugin('{"pattern": "*", "config": [1]}'),
    1,
    /a dict with strings as keys: got \[1\]/,
  ],
  [
    "no Handler",
    'MANIFEST = {"pattern": "*"}\n',
    undefined,
    /Cannot find class Handler .*def execute\(/s,
  ],
  [
    "Handler without methods",
    plugin('{"pattern": "*"}').replace("execute", "run"),
    2,
    /no method execute/,
  ],
  [
    "Handler in a function",
    'MANIFEST = {"pattern": "*"}\ndef f():\n  class Handler: pass\n',
    undefined,
    /Cannot find class Handler/,
  ],
  ["a dict without end", `MANIFEST = {"pattern": "*"\n`, 2, /not valid Python at the end/],
  ["a string without end", plugin(`{"pattern": "*}`), undefined, /not valid Python/],
  [
    "a comma too many",
    plugin(`{"pattern": "*",, "topic": "a"}`),
    1,
    /not valid Python near ", \\"topic/,
  ],
  [
    "no colon",
    plugin('{"pattern": "*"}').replace("file_path):", "file_path)"),
    3,
    /not valid Python/,
  ],
  [
    "an open bracket in a method",
    `${plugin('{"pattern": "*"}')}    def f(self):\n        x = (1\n        return x\n`,
    7,
    /not valid Python/,
  ],
  ["a NUL", `${plugin('{"pattern": "*"}')}\0`, 5, /got a NUL byte; save it as UTF-8/],
  [
    "a broken block",
    `# /// script\n${plugin('{"pattern": "*"}')}`,
    1,
    /Cannot find the end of the "# \/\/\/ script" block/,
  ],
];

Deno.test("readManifest() says what is wrong, where, and what to write", async (t) => {
  for (const [name, source, line, message] of MISTAKES) {
    await t.step(name, () => {
      const error = refusal(source);
      assert.match(error.message, message);
      if (line !== undefined) assert.equal(error.at?.line, line);
    });
  }
});

Deno.test("readManifest() refuses a source above its bound, and takes one at it", () => {
  const source = plugin('{"pattern": "*"}');
  readManifest(source + " ".repeat(SOURCE_CHARS_MAX - source.length), "a.py");
  const error = refusal(source + " ".repeat(SOURCE_CHARS_MAX - source.length + 1));
  assert.match(error.message, /at most 1048576 characters: got 1048577/);
});

Deno.test("readManifest() finds execute in a base class of the same file, also a circular one", () => {
  const source = 'MANIFEST = {"pattern": "*"}\nclass Base:\n  async def x(self): pass\n' +
    "  def execute(self, path): yield\nclass Handler(Other, Base): pass\n";
  assert.equal(readManifest(source, "a.py").handlerStyle, "execute");
  const circle = 'MANIFEST = {"pattern": "*"}\nclass Handler(Handler): pass\n';
  assert.match(refusal(circle).message, /no method execute/);
});

Deno.test("readManifest() takes None as if the key were not there", () => {
  const { manifest } = readManifest(plugin('{"pattern": "*", "timeout_s": None}'), "a.py");
  assert.equal("timeout_s" in manifest, false);
});

const GAPS = [
  "yield",
  "x = (yield)",
  "x = [1., 2., -3.]",
  "x = 5.  # a comment",
  "with (open(a) as f, open(b) as g):\n            pass",
  "with f() as (a, b):\n            pass",
  "with f() as self.file:\n            pass",
  "x = [a for a, *b in c]",
  "match x:\n            case Point():\n                pass",
  "x = t'{a}'",
  "def f[T: int = str](a: T): pass",
  "try:\n            pass\n        except* (A, B):\n            pass",
  "\f",
];

Deno.test("readManifest() takes valid Python that the grammar does not know", async (t) => {
  for (const gap of GAPS) {
    await t.step(gap, () => {
      const source = `class Handler:\n    def __init__(self):\n        ${gap}\n        y = 1\n\n` +
        `    def execute(self, file_path):\n        yield 1\n\nMANIFEST = {"pattern": "*"}\n`;
      assert.equal(readManifest(source, "a.py").manifestLine, source.split("\n").length - 1);
    });
  }
});

const PIECES = [
  ..."{}[]()'\",:=#\\\n *@.0x_e-+;é😀\u0000\ud800\f\t",
  "MANIFEST",
  "MANIFEST = {",
  '"pattern": "*"',
  "class Handler:\n",
  "  def execute(self):",
  "f'{",
  '"""',
  "# /// script\n",
  "# ///\n",
  "# dependencies = [",
  "yield",
  "with",
  "lambda",
  "for",
];

Deno.test("readManifest() gives a manifest or a ManifestError for any text", () => {
  const pieces = fc.array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: "binary" })), {
    maxLength: 60,
  });
  const cut = fc.tuple(fc.nat(200), pieces).map(([at, inserted]) => {
    const whole = `# /// script\n# dependencies = ["a"]\n# ///\n${
      plugin('{"pattern": ["*", 1.5]}')
    }`;
    return whole.slice(0, at) + inserted.slice(0, 3).join("") + whole.slice(at);
  });
  const source = fc.oneof(pieces.map((all) => all.join("")), cut);
  fc.assert(
    fc.property(source, fc.string(), (text, fileName) => {
      try {
        readManifest(text, fileName);
      } catch (error) {
        if (!(error instanceof ManifestError)) throw error;
      }
    }),
    { numRuns: 3000 },
  );
});

Deno.test("readManifest() answers for brackets nested without end", () => {
  for (const open of ["(", "[", "{", "{'a':", "-", "not ", "f(", "{(", "'a' ", "lambda: "]) {
    refusal(plugin(open.repeat(10_000)));
    refusal(open.repeat(10_000));
  }
  for (const [open, close] of ["()", "[]", "{}"].map((pair) => [...pair] as [string, string])) {
    const nested = open.repeat(10_000) + "1" + close.repeat(10_000);
    refusal(plugin(`{"pattern": "*", "config": {"a": ${nested}}}`));
    refusal(plugin(`{${nested}: 1}`));
  }
});
