import assert from "node:assert/strict";
import { EnvironmentError } from "./environment_error.ts";
import { composeLockfile, oldestPython, readLockfile, requirementsText } from "./lockfile.ts";

const HASH = `--hash=sha256:${"ab".repeat(32)}`;
const PYARROW = `pyarrow==26.0.1 \\\n    ${HASH}\n`;

Deno.test("our own lockfile is read back with the Python it was made for", () => {
  const text = composeLockfile(PYARROW, "3.11");
  assert.deepEqual(readLockfile(text), { kind: "requirements", text, python: ">=3.11" });
});

Deno.test("pinned requirements with hashes are taken with extras, markers and comments", () => {
  const lines = [
    "# made by hand",
    `numpy==2.4.6 ; python_full_version < '3.12' and sys_platform != 'win32' \\\n    ${HASH} \\\n    ${HASH}`,
    `rich[jupyter]==15.0.0 ${HASH}`,
    PYARROW,
  ];
  const read = readLockfile(lines.join("\r\n"));
  assert.equal(read.kind, "requirements");
  assert.equal(read.python, undefined);
});

for (
  const line of [
    "pandas>=2",
    "pandas==3.1.1",
    `--index-url https://example.org/simple ${HASH}`,
    `six==1.17.0 --index-url=https://example.org ${HASH}`,
    `six==1.17.0 ; x --find-links=/tmp ${HASH}`,
    `six @ https://example.org/six.whl ${HASH}`,
    `six @ git+https://example.org/six.git`,
    "-e .",
    "-r /etc/passwd",
    "./six.whl",
    "MANIFEST = {}",
  ]
) {
  Deno.test(`a lockfile with the line ${line} is refused, and the line is named`, () => {
    assert.throws(
      () => readLockfile(`${PYARROW}${line}\n`),
      (error) => error instanceof EnvironmentError && error.message.includes(line.slice(0, 20)),
    );
  });
}

Deno.test("a lockfile without any package, or without pyarrow, says what is accepted", () => {
  assert.throws(() => readLockfile(""), /a uv\.lock, a pylock\.toml.*it names no package/);
  assert.throws(() => readLockfile(`six==1.17.0 ${HASH}`), /must hold pyarrow.*lock again/);
});

Deno.test("a uv.lock is known by its content, of a project and of a script", () => {
  const head = 'version = 1\nrevision = 5\nrequires-python = ">=3.10"\n\n';
  const pyarrow = '[[package]]\nname = "pyarrow"\nversion = "26.0.1"\n';
  const script = readLockfile(head + pyarrow);
  assert.ok(script.kind === "uv.lock");
  assert.equal(script.python, ">=3.10");
  assert.deepEqual(Object.keys(script.files), ["plugin.py", "plugin.py.lock"]);

  const own = '[[package]]\nname = "my-plugin"\nversion = "1.2"\nsource = { editable = "." }\n';
  const project = readLockfile(`${head}${own}\n${pyarrow}`);
  assert.ok(project.kind === "uv.lock");
  assert.match(project.files["pyproject.toml"] ?? "", /name = "my-plugin"/);
});

Deno.test("a pylock.toml is taken unless it names a path or a repository", () => {
  const text =
    'lock-version = "1.0"\nrequires-python = ">=3.10"\n\n[[packages]]\nname = "pyarrow"\n';
  assert.deepEqual(readLockfile(text), { kind: "pylock", text, python: ">=3.10" });
  for (
    const line of ['directory = { path = "." }', "[packages.vcs]", 'x = { url = "file:///x" }']
  ) {
    assert.throws(() => readLockfile(`${text}${line}\n`), /must come from an index/);
  }
});

Deno.test("requirementsText() adds pyarrow, and refuses URLs, paths and options", () => {
  assert.equal(
    requirementsText([" pandas>=2,<4 ", "polars[pandas]~=1.0"]),
    "pandas>=2,<4\npolars[pandas]~=1.0\npyarrow\n",
  );
  assert.equal(
    requirementsText(["six; python_version < '3.12'"]),
    "six; python_version < '3.12'\npyarrow\n",
  );
  for (
    const wrong of [
      "-r x",
      "./six",
      "six @ https://x.org/s.whl",
      "a\n--index-url x",
      "git+ssh://x",
      "",
    ]
  ) {
    assert.throws(() => requirementsText([wrong]), EnvironmentError, wrong);
  }
});

Deno.test("oldestPython() finds the lower end of a request", () => {
  const requests = [
    "3.11",
    "3.11.7",
    ">=3.10,<3.13",
    "<3.13,>=3.10",
    "~=3.12",
    "==3.11.*",
    "<4.0",
    undefined,
  ];
  const oldest = ["3.11", "3.11", "3.10", "3.10", "3.12", "3.11", undefined, undefined];
  assert.deepEqual(requests.map(oldestPython), oldest);
});
