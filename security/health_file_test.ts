import assert from "node:assert/strict";
import { join } from "node:path";
import { vitalsOf } from "../protocol/health.ts";
import { HealthFile, type SignOfLife } from "./health_file.ts";

async function withState(use: (state: string, path: string) => void): Promise<void> {
  const state = await Deno.makeTempDir();
  try {
    use(state, join(state, "health", "worker.json"));
  } finally {
    await Deno.remove(state, { recursive: true });
  }
}

function read(path: string) {
  return { text: Deno.readTextFileSync(path), mtimeMs: Deno.statSync(path).mtime!.getTime() };
}

const sign = (atMs: number, because: string | null = null): SignOfLife => (
  { atMs, ready: because === null, because }
);

Deno.test("a program's file tells when it last got something done, and goes when it ends", () =>
  withState((state, path) => {
    let now = sign(50_000);
    const health = new HealthFile(state, "worker", () => now);
    assert.deepEqual(vitalsOf("worker", read(path), 60_000), {
      ...{ program: "worker", alive: true, ready: true, because: null },
    });
    now = sign(55_000, "it drains");
    health.beat();
    assert.equal(read(path).mtimeMs, 55_000);
    assert.equal(vitalsOf("worker", read(path), 60_000).because, "it drains");
    health.stop();
    health.stop();
    assert.throws(() => read(path), Deno.errors.NotFound);
  }));

Deno.test("a disk without room does not make a program look dead", () =>
  withState((state, path) => {
    let now = sign(50_000);
    const health = new HealthFile(state, "worker", () => now);
    Deno.mkdirSync(`${path}.new`); // as if nothing could be written beside it
    now = sign(90_000);
    health.beat();
    assert.equal(read(path).mtimeMs, 90_000);
    health.stop();
  }));
