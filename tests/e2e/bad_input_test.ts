/**
 * Bad plugins and bad files through `casparian start --once`: each ends with its reason, all other files
 * are done, nothing half-written stays, no process is left.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { launchArguments } from "../../security/launch.ts";
import { PROJECT, testEnvironment } from "../../worker/test_tools.ts";

const OLD_S = 1_700_000_000;

interface Ended {
  code: number;
  said: string;
}

async function start(cwd: string, ...args: string[]): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: launchArguments("start", args, cwd),
    cwd: PROJECT,
    env: { ...await testEnvironment(), INIT_CWD: cwd, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, said: decoder.decode(stdout) + decoder.decode(stderr) };
}

const plugin = (pattern: string, topic: string, body: string) =>
  `import os, sys
MANIFEST = {"pattern": "${pattern}", "topic": "${topic}"}
class Handler:
    def execute(self, file_path):
${body.split("\n").map((line) => `        ${line}`).join("\n")}
`;

const PLUGINS: Record<string, string> = {
  good: plugin("*.txt", "good", `yield {"bytes": [os.path.getsize(file_path)]}`),
  half: plugin("*.half", "half", `yield {"a": [1]}\nraise ValueError("half-way")`),
  nothing: plugin("*.nothing", "nothing", `return iter(())`),
  schemas: plugin("*.schemas", "schemas", `yield {"a": [1]}\nyield {"b": ["x"]}`),
  prints: plugin("*.prints", "prints", `sys.stdout.write("x" * 50_000_000)\nyield {"a": [1]}`),
  exits: plugin("*.exits", "exits", `yield {"a": list(range(1_000_000))}\nos._exit(0)`),
};

function write(path: string, text: string): void {
  Deno.writeTextFileSync(path, text);
  Deno.utimeSync(path, OLD_S, OLD_S);
}

/** Every file below a folder, relative to it. */
function filesBelow(folder: string, prefix = ""): string[] {
  return [...Deno.readDirSync(join(folder, prefix))].flatMap(({ name, isDirectory }) => {
    const path = join(prefix, name);
    return isDirectory ? filesBelow(folder, path) : [path];
  });
}

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "casparian-bad-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("bad plugins and files end with their reasons while all others are done", () =>
  inFolder(async (folder) => {
    const input = join(folder, "in");
    Deno.mkdirSync(input);
    const args = ["--once", "--root", "in", "--output", "out", "--state", "st"];
    for (const [name, source] of Object.entries(PLUGINS)) {
      write(join(folder, `${name}.py`), source);
      args.push("--plugin", `${name}.py`);
      if (name !== "good") write(join(input, `f.${name}`), "x");
    }
    for (const name of ["one.txt", "two.txt", "new\nline.txt", "empty.txt"]) {
      write(join(input, name), name === "empty.txt" ? "" : "text");
    }
    const notUtf8 = `touch -d @${OLD_S} "$(printf 'bad\\377.txt')"`;
    await new Deno.Command("sh", { args: ["-c", notUtf8], cwd: input }).output();

    const { code, said } = await start(folder, ...args);
    assert.equal(code, 3, said);
    assert.match(said, /ValueError: half-way/);
    assert.match(said, /exit code 0 before it had yielded all/);
    assert.match(said, /columns of the first/);
    assert.match(said, /name must be UTF-8/);
    assert.match(said, /3 files failed/);
    assert.doesNotMatch(said, /\n\s+at .*\.ts:\d+/, "no stack trace of ours reaches a user");

    const landed = filesBelow(join(folder, "out")).filter((path) => !path.startsWith(".workers"));
    const byTopic = Object.groupBy(landed, (path) => path.split("/")[0]!);
    assert.equal(byTopic.good?.length, 4);
    assert.equal(byTopic.prints?.length, 1);
    assert.ok(landed.every((path) => path.endsWith(".parquet")), `nothing is staged: ${landed}`);
    assert.deepEqual(Object.keys(byTopic).sort(), ["good", "prints"]);
  }));

// Goal: what cannot work is refused before anything runs, with the line and what to write instead.
for (
  const [what, source, reason] of [
    [
      "a syntax error",
      `MANIFEST = {"pattern": "*", "topic": "t"}\nclass Handler:\n  def execute(self, p)\n    yield 1\n`,
      /Line 3/,
    ],
    ["no MANIFEST", "class Handler:\n    def execute(self, p): yield 1\n", /Cannot find MANIFEST/],
    ["no Handler", `MANIFEST = {"pattern": "*", "topic": "t"}\n`, /class Handler/],
    [
      "a MANIFEST that must be run",
      `X = "*"\nMANIFEST = {"pattern": X, "topic": "t"}\nclass Handler:\n    def execute(self, p): yield 1\n`,
      /Line 2, column 24: .*read without being run|Line 2.*read without being run/,
    ],
  ] as const
) {
  Deno.test(`a plugin with ${what} is refused with its line and a next step`, () =>
    inFolder(async (folder) => {
      write(join(folder, "bad.py"), source);
      Deno.mkdirSync(join(folder, "in"));
      const args = ["--once", "--root", "in", "--state", "st", "--plugin", "bad.py"];
      const { code, said } = await start(folder, ...args);
      assert.equal(code, 1, said);
      assert.match(said, reason);
    }));
}

for (
  const [what, prepare, args, reason] of [
    [
      "is no database",
      (path: string) => Deno.writeTextFileSync(path, "hello, I am no database at all ".repeat(9)),
      [],
      /file is not a database\. Give another --database/,
    ],
    [
      "is in a folder that is not there",
      () => {},
      ["sqlite://no/such/folder.db"],
      /Check that its folder exists/,
    ],
  ] as const
) {
  Deno.test(`a database that ${what} is refused and left as it is`, () =>
    inFolder(async (folder) => {
      const path = join(folder, "some.db");
      prepare(path);
      Deno.mkdirSync(join(folder, "in"));
      const database = args[0] ?? "sqlite://some.db";
      const options = ["--once", "--root", "in", "--state", "st", "--database", database];
      const { code, said } = await start(folder, ...options);
      assert.equal(code, 1, said);
      assert.match(said, reason);
    }));
}

Deno.test("an address in use is refused with what to do", () =>
  inFolder(async (folder) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    Deno.mkdirSync(join(folder, "in"));
    const address = `tcp://127.0.0.1:${listener.addr.port}`;
    const { code, said } = await start(
      folder,
      ...["--once", "--root", "in", "--state", "st", "--listen", address],
    );
    assert.equal(code, 1, said);
    assert.match(said, /Address already in use\. Stop what uses it, or give another --listen/);
  }));
