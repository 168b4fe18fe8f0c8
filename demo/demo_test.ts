import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import picomatch from "picomatch";
import { readManifest } from "../security/manifest_reader.ts";
import { makeDemo } from "./make_data.ts";

const HERE = new URL(".", import.meta.url);
const DATA_BYTES_MAX = 2_000_000;

async function filesBelow(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const entry of Deno.readDir(new URL(folder, HERE))) {
    const path = `${folder}${entry.name}`;
    paths.push(...(entry.isDirectory ? await filesBelow(`${path}/`) : [path]));
  }
  return paths.sort();
}

async function plugins() {
  const paths = (await filesBelow("plugins/")).filter((path) => path.endsWith(".py"));
  return await Promise.all(paths.map(async (path) => ({
    path,
    ...readManifest(await Deno.readTextFile(new URL(path, HERE)), path),
  })));
}

Deno.test("make_data.ts makes the committed data and expectations again, byte by byte", async () => {
  const made = makeDemo();
  const committed = [...await filesBelow("data/"), "expected.json"];
  assert.deepEqual(made.map((file) => file.path).sort(), committed.sort());
  for (const { path, bytes } of made) {
    const onDisk = await Deno.readFile(new URL(path, HERE));
    assert.ok(Buffer.from(onDisk).equals(bytes), `${path} differs`);
  }
});

Deno.test("the demo's data stay small", () => {
  const bytes = makeDemo().reduce((total, file) => total + file.bytes.length, 0);
  assert.ok(bytes < DATA_BYTES_MAX, `${bytes} bytes`);
});

Deno.test("each plugin of the demo has a MANIFEST, under its file's name, in the default environment", async () => {
  const all = await plugins();
  assert.equal(all.length, 11);
  for (const plugin of all) {
    assert.equal(plugin.path, `plugins/${plugin.manifest.name}.py`);
    assert.equal(plugin.requirements, null, plugin.path);
  }
  const older = all.filter((plugin) => plugin.handlerStyle === "consume");
  assert.deepEqual(older.map((plugin) => plugin.manifest.name), ["legacy_style"]);
});

Deno.test("each file of the demo has exactly one plugin", async () => {
  const matchers = (await plugins()).map(({ manifest }) => picomatch(manifest.pattern));
  for (const path of await filesBelow("data/")) {
    const claims = matchers.filter((matches) => matches(path.replace(/^data\//, "")));
    assert.equal(claims.length, 1, path);
  }
});

Deno.test("expected.json counts every file and names every topic of the plugins that work", async () => {
  const expected = JSON.parse(await Deno.readTextFile(new URL("expected.json", HERE)));
  assert.equal(expected.files, (await filesBelow("data/")).length);
  const topics = (await plugins())
    .filter(({ manifest }) => manifest.name !== "bad_plugin")
    .flatMap(({ manifest }) => Object.keys(manifest.topics ?? { [manifest.topic]: null }));
  assert.deepEqual(Object.keys(expected.topics).sort(), topics.sort());
});
