import assert from "node:assert/strict";
import { join } from "node:path";
import { EnvironmentError } from "./environment_error.ts";
import { describePython, findHostPython } from "./host_python.ts";
import { translatePipSettings } from "./package_index.ts";
import { testEnvironment } from "./test_tools.ts";
import { Uv } from "./uv.ts";

const environment = await testEnvironment();
const python = await findHostPython(environment);

async function withDir(use: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "casparian-uv-" });
  try {
    await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function script(path: string, text: string): Promise<string> {
  await Deno.writeTextFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return path;
}

Deno.test("uv gets the state folder's cache unless the user has one", async () => {
  await withDir(async (dir) => {
    const { UV_CACHE_DIR: users, ...others } = environment;
    const cacheOf = async (given: Record<string, string>) => {
      const uv = await Uv.open(dir, python, given);
      return (await uv.run(["cache", "dir"], { cwd: dir, limitMs: 10_000 })).stdout.trim();
    };
    assert.equal(await cacheOf(environment), users);
    assert.equal(await cacheOf(others), join(dir, "cache", "uv"));
  });
});

Deno.test("a site without an index is not asked for one, however pip was told so", async () => {
  await withDir(async (dir) => {
    const echo = await script(join(dir, "uv"), `[ "$1" = --version ] && echo uv 0.13.9; echo "$@"`);
    const said = async (given: Record<string, string>, ...args: string[]) => {
      const uv = await Uv.open(dir, python, { ...environment, CASPARIAN_UV: echo, ...given });
      return (await uv.run(args, { cwd: dir, limitMs: 10_000 })).stdout.trim();
    };
    assert.equal(await said({ PIP_NO_INDEX: "1" }, "pip", "sync", "x"), "pip sync x --no-index");
    assert.equal(await said({ UV_NO_INDEX: "1" }, "pip", "sync", "x"), "pip sync x --no-index");
    assert.equal(await said({ UV_NO_INDEX: "1" }, "venv", "."), "venv .");
    assert.equal(await said({}, "pip", "sync", "x"), "pip sync x");
  });
});

Deno.test("a uv that is too old is passed over, and one is installed once by several at a time", async () => {
  await withDir(async (dir) => {
    const old = await script(join(dir, "old-uv"), "echo uv 0.4.30");
    const pip = await script(
      join(dir, "python"),
      `case "$*" in *install*) echo x >>${dir}/installs
       while [ "$1" != --target ]; do shift; done
       mkdir -p "$2/bin"; printf '#!/bin/sh\\necho uv 0.13.9\\n' >"$2/bin/uv"; chmod +x "$2/bin/uv";; esac`,
    );
    const given = { ...environment, CASPARIAN_UV: old };
    const lines: string[] = [];
    const open = () => Uv.open(dir, { ...python, path: pip }, given, (line) => lines.push(line));
    const opened = await Promise.all([open(), open(), open()]);
    assert.deepEqual([...new Set(opened.map((uv) => uv.path))], [
      join(dir, "tools", "uv-0.13.9", "bin", "uv"),
    ]);
    assert.equal(await Deno.readTextFile(join(dir, "installs")), "x\n");
    assert.equal(lines.length, 1);
  });
});

Deno.test("without pip and without venv the error says what to install", async () => {
  await withDir(async (dir) => {
    const bare = await script(join(dir, "python"), "exit 1");
    const given = { ...environment, CASPARIAN_UV: bare };
    await assert.rejects(
      Uv.open(dir, { ...python, path: bare }, given),
      (error) =>
        error instanceof EnvironmentError && /python3-pip or python3-venv/.test(error.message),
    );
  });
});

Deno.test("without a package index the error holds pip's last words", async () => {
  await withDir(async (dir) => {
    const offline = await script(
      join(dir, "python"),
      `case "$*" in *install*) echo "ERROR: No matching distribution found for uv" >&2; exit 1;; esac`,
    );
    await assert.rejects(
      Uv.open(dir, { ...python, path: offline }, { ...environment, CASPARIAN_UV: offline }),
      /No matching distribution found for uv\nCheck the network/,
    );
    assert.deepEqual((await Array.fromAsync(Deno.readDir(join(dir, "tools")))).map((e) => e.name), [
      "uv.lock",
    ]);
  });
});

Deno.test("describePython() says who the interpreter is, or that it is none", async () => {
  assert.match(python.version, /^3\.\d+\.\d+/);
  assert.deepEqual(await describePython(python.path, environment), python);
  await assert.rejects(
    describePython("/bin/false", environment),
    /must run as a Python interpreter/,
  );
});

Deno.test("a Python that is too old is refused with a next step", async () => {
  await withDir(async (dir) => {
    const answer = '["/usr/bin/python3", "3.8.1", "/usr", "/usr"]';
    const old = await script(join(dir, "python3"), `echo '${answer}'`);
    await assert.rejects(
      findHostPython({ ...environment, CASPARIAN_PYTHON: old }),
      /must be 3\.10 or newer.*is 3\.8\.1.*CASPARIAN_PYTHON/,
    );
  });
});

Deno.test("pip's settings become uv's, the stronger section winning", () => {
  const listed = String.raw`global.index-url='https://old.example/simple'
global.extra-index-url='https://one.example/simple\nhttps://two.example/simple'
install.find-links='/opt/a /opt/b'
:env:.index-url='https://new.example/simple'
global.cert='/etc/site.pem'
global.timeout='60'`;
  assert.deepEqual(translatePipSettings(listed, {}), {
    UV_DEFAULT_INDEX: "https://new.example/simple",
    UV_INDEX: "https://one.example/simple https://two.example/simple",
    UV_FIND_LINKS: "/opt/a,/opt/b",
    SSL_CERT_FILE: "/etc/site.pem",
  });
});

Deno.test("what the user told uv stands, also by its older name", () => {
  const listed = "global.index-url='https://pip.example'\nglobal.cert='/pip.pem'";
  const users = { UV_INDEX_URL: "https://uv.example", SSL_CERT_FILE: "/uv.pem" };
  assert.deepEqual(translatePipSettings(listed, users), {});
});
