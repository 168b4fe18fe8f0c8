import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { openDisk } from "./disk.ts";
import { Stopped } from "./stopped.ts";

Deno.test("hash() reads a file of many chunks and breathes after each", async () => {
  const path = Deno.makeTempFileSync();
  const bytes = new Uint8Array(2_500_000).map((_, i) => i % 251);
  Deno.writeFileSync(path, bytes);
  let breaths = 0;
  // deno-lint-ignore require-await
  const hash = await openDisk().hash(path, async () => void breaths++);
  assert.equal(hash, createHash("sha256").update(bytes).digest("hex"));
  assert.ok(breaths >= 3, `${breaths}`);
  await assert.rejects(openDisk().hash(path, () => Promise.reject(new Stopped())), Stopped);
  Deno.removeSync(path);
});

Deno.test("hash() of an empty file is that of no bytes", async () => {
  const path = Deno.makeTempFileSync();
  const hash = await openDisk().hash(path, () => Promise.resolve());
  assert.equal(hash, createHash("sha256").digest("hex"));
  Deno.removeSync(path);
});
