/** Other processes write at random while the real scanner looks: the clock, the disk and the store are real. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { ArrivalSite } from "../../sentinel/testing.ts";
import { testPython } from "../python.ts";

const SCRIPT = fileURLToPath(new URL("./writer.py", import.meta.url));
const WRITERS = 4;
const WRITING_S = 12;
const SETTLE_MS = 1_500;

Deno.test("what other processes write at random is taken whole, all of it, and never half", async () => {
  const seed = Number(Deno.env.get("CASPARIAN_SEED") ?? Math.floor(Math.random() * 1e9));
  await writeAndCheck(seed).catch((cause) => {
    throw new Error(`It failed with CASPARIAN_SEED=${seed}: ${cause.message}`, { cause });
  });
});

async function writeAndCheck(seed: number): Promise<void> {
  await using site = await ArrivalSite.open({ settleMs: SETTLE_MS, patienceMs: 60_000 });
  site.write(".keep", "");
  const python = await testPython();
  const writers = Array.from(
    { length: WRITERS },
    (_, n) => startWriter(site, python, `w${n}`, seed + n),
  );
  const all = Promise.all(writers);
  let isOver = false;
  all.finally(() => isOver = true).catch(() => {});
  while (!isOver) {
    await site.work();
    await Promise.race([all, site.change()]);
  }
  await site.settle();
  await site.work();
  check(site, new Set((await all).flat()));
}

/** @returns What it says may be taken, as "path hash". */
async function startWriter(
  site: ArrivalSite,
  python: string,
  folder: string,
  seed: number,
): Promise<string[]> {
  Deno.mkdirSync(`${site.root}/${folder}`);
  const args = [SCRIPT, `${site.root}/${folder}`, `${seed}`, `${WRITING_S}`, `${SETTLE_MS / 1000}`];
  const output = await new Deno.Command(python, { args }).output();
  const text = new TextDecoder();
  assert.ok(output.success, text.decode(output.stderr));
  return text.decode(output.stdout).trim().split("\n").map((line) => {
    const [path, hash] = JSON.parse(line);
    return `${folder}/${path} ${hash}`;
  });
}

function check(site: ArrivalSite, rightful: Set<string>): void {
  const files = site.files();
  const taken = Object.keys(files).flatMap((path) =>
    site.versions(path).map((hash) => `${path} ${hash}`)
  );
  assert.ok(taken.length > 20, `${taken.length} were taken`);
  assert.deepEqual(taken.filter((each) => !rightful.has(each)), [], "taken half-written");
  const tables = site.tables();
  for (const [path, hash] of filesOnDisk(site.root)) assert.equal(tables[path], hash, path);
  const onDisk = new Set(filesOnDisk(site.root).keys());
  for (const [path, { deleted, arriving, note }] of Object.entries(files)) {
    assert.deepEqual([deleted, arriving, note], [!onDisk.has(path), null, null], path);
  }
}

function filesOnDisk(root: string, folder = ""): Map<string, string> {
  return new Map([...Deno.readDirSync(`${root}/${folder}`)].flatMap(({ name, isDirectory }) => {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (isDirectory) return [...filesOnDisk(root, path)];
    const hash = createHash("sha256").update(Deno.readFileSync(`${root}/${path}`)).digest("hex");
    return name === ".keep" ? [] : [[path, hash] as [string, string]];
  }));
}
