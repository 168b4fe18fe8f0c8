import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { POLL_MS, ScanWorld, SETTLE_MS } from "./testing.ts";

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

type Operation =
  | { op: "write"; path: string; text: string }
  | { op: "remove"; path: string }
  | { op: "rename"; path: string; to: string }
  | { op: "wait"; ms: number }
  | { op: "hint"; folder: string }
  | { op: "refuse" | "accept" | "forget" };

const path = fc.constantFrom("x.csv", "y.csv", "a/x.csv", "a/b/x.csv", "c/y.csv");
const folder = fc.constantFrom("", "a", "a/b", "c");
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant("write" as const), path, text: fc.string() }),
  },
  fc.record({
    op: fc.constant("remove" as const),
    path: fc.oneof(path, fc.constantFrom("a", "c")),
  }),
  fc.record({ op: fc.constant("rename" as const), path, to: path }),
  fc.record({ op: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 12_000 }) }),
  fc.record({ op: fc.constant("hint" as const), folder }),
  fc.record({ op: fc.constantFrom("refuse" as const, "accept" as const, "forget" as const) }),
);

Deno.test("any order of file operations ends with the store knowing what the disk holds", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 30 }), async (operations) => {
      using world = new ScanWorld();
      world.write(".keep", "");
      for (const operation of operations) await play(world, operation);
      world.refuse = false;
      await world.pass(SETTLE_MS + 2 * POLL_MS);
      const stored = world.storedFiles().map(({ folder, name, contentHash }) => {
        return [folder === "" ? name : `${folder}/${name}`, contentHash];
      });
      assert.deepEqual(Object.fromEntries(stored), filesOnDisk(world.root));
    }),
    { numRuns: 150 },
  );
});

async function play(world: ScanWorld, operation: Operation): Promise<void> {
  await world.pass(1); // no two writes have the same mtime: what differs in nothing but its bytes can't be seen
  if (operation.op === "write") world.write(operation.path, operation.text, 0);
  if (operation.op === "remove") ifThere(() => remove(world, operation.path));
  if (operation.op === "rename") ifThere(() => rename(world, operation.path, operation.to));
  if (operation.op === "wait") await world.pass(operation.ms);
  if (operation.op === "hint") world.scan.hint(operation.folder);
  if (operation.op === "refuse" || operation.op === "accept") {
    world.refuse = operation.op === "refuse";
  }
  if (operation.op === "forget") world.scan.forget();
}

function remove(world: ScanWorld, path: string): void {
  Deno.removeSync(`${world.root}/${path}`, { recursive: true });
}

function rename(world: ScanWorld, path: string, to: string): void {
  Deno.renameSync(`${world.root}/${path}`, `${world.root}/${to}`);
}

function ifThere(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function filesOnDisk(root: string, folder = ""): Record<string, string> {
  const files: Record<string, string> = {};
  for (const { name, isDirectory } of Deno.readDirSync(`${root}/${folder}`)) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (isDirectory) Object.assign(files, filesOnDisk(root, path));
    else if (name !== ".keep") files[path] = sha256(Deno.readTextFileSync(`${root}/${path}`));
  }
  return files;
}
