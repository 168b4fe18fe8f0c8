import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { packageFiles, packageFolders } from "./npm_packages.ts";

const LINUX = { os: "linux", cpu: "x64" };

/** A node_modules folder of packages that are given by what package.json holds, by their folder. */
async function withPackages(
  packages: Record<string, object>,
  use: (nodeModules: string) => void,
): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    for (const [folder, json] of Object.entries(packages)) {
      const path = join(root, "node_modules", folder, "package.json");
      await Deno.mkdir(dirname(path), { recursive: true });
      const name = folder.slice(folder.lastIndexOf("node_modules/") + 1).replace(
        "ode_modules/",
        "",
      );
      await Deno.writeTextFile(path, JSON.stringify({ name, version: "1.0.0", ...json }));
    }
    use(join(root, "node_modules"));
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("packages come with what they need, for this platform, and without what only types need", () =>
  withPackages({
    a: {
      dependencies: { b: "1", "@types/b": "1" },
      optionalDependencies: { linux: "1", mac: "1" },
    },
    b: { dependencies: { a: "1" } },
    linux: { os: ["linux"], cpu: ["x64"], optionalDependencies: { "not-installed": "1" } },
    mac: { os: ["darwin"] },
    "@types/b": {},
    unused: {},
  }, (nodeModules) => {
    const folders = packageFolders(nodeModules, ["a"], LINUX);
    assert.deepEqual(folders.map(({ destination }) => destination), [
      ...["node_modules/a", "node_modules/b", "node_modules/linux"],
    ]);
  }));

Deno.test("a second version of a package goes below the one that needs it", () =>
  withPackages({
    a: { dependencies: { b: "2" } },
    "a/node_modules/b": { version: "2.0.0" },
    b: { version: "1.0.0" },
  }, (nodeModules) => {
    const folders = packageFolders(nodeModules, ["b", "a"], LINUX);
    assert.deepEqual(folders.map(({ destination, version }) => [destination, version]), [
      ["node_modules/a", "1.0.0"],
      ["node_modules/a/node_modules/b", "2.0.0"],
      ["node_modules/b", "1.0.0"],
    ]);
  }));

Deno.test("a package that is not installed is named, with what to do", () =>
  withPackages({ a: { dependencies: { gone: "1" } } }, (nodeModules) => {
    const bundle = () => packageFolders(nodeModules, ["a"], LINUX);
    assert.throws(bundle, /Cannot bundle gone as it is not installed: run "deno install"/);
  }));

Deno.test("of a package only what can run comes along, with its licence", () =>
  withPackages({ a: {}, "a/node_modules/b": {} }, (nodeModules) => {
    const directory = join(nodeModules, "a");
    for (
      const name of ["x.js", "x.min.js", "x.d.ts", "x.js.map", "README.md", "LICENSE", "x.wasm"]
    ) {
      Deno.writeTextFileSync(join(directory, name), "");
    }
    const [folder] = packageFolders(nodeModules, ["a"], LINUX);
    assert.deepEqual(packageFiles(folder!), ["LICENSE", "package.json", "x.js", "x.wasm"]);
  }));
