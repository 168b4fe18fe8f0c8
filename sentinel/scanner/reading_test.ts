import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { hashAll, openReading, tailFingerprint } from "./reading.ts";
import { Stopped } from "./stopped.ts";

const open = openReading();
const breathe = () => Promise.resolve();

/** A file with these bytes, open. */
function withBytes(bytes: Uint8Array, use: (path: string) => Promise<void>): Promise<void> {
  const path = Deno.makeTempFileSync({ prefix: "casparian-reading-" });
  Deno.writeFileSync(path, bytes);
  return use(path).finally(() => Deno.removeSync(path));
}

const patterned = (length: number) => new Uint8Array(length).map((_, i) => i % 251);

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

Deno.test("a file of many chunks is hashed whole, with a breath after each", async () => {
  const bytes = patterned(2_500_000);
  await withBytes(bytes, async (path) => {
    let breaths = 0;
    using reading = open(path);
    // deno-lint-ignore require-await
    assert.equal(await hashAll(reading, async () => void breaths++), sha256(bytes));
    assert.ok(breaths >= 3, `${breaths}`);
    await assert.rejects(hashAll(reading, () => Promise.reject(new Stopped())), Stopped);
  });
});

Deno.test("head, tail and all bytes can be asked for in any order, at any size", async () => {
  for (const length of [0, 1, 4096, 1 << 20, (1 << 20) + 1, 2_500_000]) {
    const bytes = patterned(length);
    await withBytes(bytes, async (path) => {
      using reading = open(path);
      for (let i = 0; i < 2; i++) {
        assert.deepEqual(reading.tail(5000), bytes.slice(-5000));
        assert.equal(await hashAll(reading, breathe), sha256(bytes));
        assert.deepEqual(reading.head(), bytes.slice(0, 4096));
      }
    });
  }
});

Deno.test("reading ends early when it is told to", async () => {
  await withBytes(patterned(3 << 20), async (path) => {
    using reading = open(path);
    let chunks = 0;
    await reading.read(() => ++chunks < 2, breathe);
    assert.equal(chunks, 2);
  });
});

Deno.test("the fingerprint of a tail is that of the last bytes only", async () => {
  const bytes = patterned(3 << 20);
  await withBytes(bytes, (path) => {
    const fingerprint = () => {
      using reading = open(path);
      return tailFingerprint(reading);
    };
    const before = fingerprint();
    const write = (at: number) => {
      using file = Deno.openSync(path, { write: true });
      file.seekSync(at, Deno.SeekMode.Start);
      file.writeSync(Uint8Array.of(255));
    };
    write(0);
    assert.equal(fingerprint(), before);
    write(bytes.length - 4096);
    assert.notEqual(fingerprint(), before);
    return Promise.resolve();
  });
});
