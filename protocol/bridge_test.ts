import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  BATCH_BYTES_MAX,
  BridgeError,
  type BridgeFrame,
  type BridgeLogLevel,
  BridgeParser,
  encodeFrame,
  encodeRequest,
  TEXT_BYTES_MAX,
} from "./bridge.ts";
import vectors from "../tests/vectors/bridge_frames.json" with { type: "json" };

Deno.test("every golden frame reads and writes as its vector says", async (t) => {
  for (const { name, hex, frame } of vectors.frames) {
    await t.step(name, () => {
      const expected = frameOfVector(frame);
      assert.deepEqual(parse([Uint8Array.fromHex(hex)]), [expected]);
      assert.equal(encodeFrame(expected).toHex(), hex);
    });
  }
});

Deno.test("every golden request is written as its vector says", () => {
  for (const { hex, request } of vectors.requests) {
    assert.equal(encodeRequest(request).toHex(), hex);
  }
});

Deno.test("frames are the same however their bytes are cut", () => {
  property(fc.property(fc.array(anyFrame), fc.infiniteStream(fc.nat(40)), (frames, sizes) => {
    const bytes = concat(frames.map(encodeFrame));
    assert.deepEqual(parse(cut(bytes, sizes)), frames);
  }));
});

Deno.test("any bytes give frames or a BridgeError, and the parser keeps to its bound", () => {
  const start = fc.constantFrom(0, 0xffffffff, 0xfffffffe, 0xfffffffd, 0xfffffffc, 0xfffffffb);
  const chunk = fc.oneof(fc.uint8Array({ maxLength: 64 }), start.map(u32), fc.nat(300).map(u32));
  property(fc.property(fc.array(chunk), (chunks) => {
    const parser = new BridgeParser({ frameBytesMax: 200 });
    try {
      for (const frame of chunks.flatMap((bytes) => parser.push(bytes))) {
        if (frame.type === "batch") assert.ok(frame.bytes.length <= 200);
      }
      parser.finish();
    } catch (error) {
      assert.ok(error instanceof BridgeError, String(error));
    }
  }));
});

Deno.test("a batch at the bound is taken and one byte more is refused by its length alone", () => {
  const parser = new BridgeParser({ frameBytesMax: 5 });
  assert.equal(parser.push(encodeFrame({ type: "batch", bytes: new Uint8Array(5) })).length, 1);
  assert.throws(() => parser.push(u32(6)), {
    name: "BridgeError",
    message: "Cannot read bridge batch as it must be at most 5 bytes: got 6",
  });
});

Deno.test("a text over its bound is refused before its bytes arrive", () => {
  const parser = new BridgeParser();
  parser.push(u32(0xffffffff));
  assert.throws(() => parser.push(u32(TEXT_BYTES_MAX + 1)), BridgeError);
});

// A shim that announces 256 MiB and sends 3 bytes must not cost the worker 256 MiB.
Deno.test("a length that is announced but never sent allocates little", () => {
  const before = externalBytes();
  const liars = Array.from({ length: 32 }, () => new BridgeParser());
  for (const liar of liars) liar.push(concat([u32(BATCH_BYTES_MAX), new Uint8Array(3)]));
  assert.ok(externalBytes() - before < 64 * 1024 * 1024);
  assert.ok(liars.every((liar) => !liar.idle));
});

Deno.test("a batch fills a buffer of its own, even when it came in a shared chunk", () => {
  const [first, second] = parse([
    concat([7, 3_000_000].map((n) => encodeFrame({ type: "batch", bytes: new Uint8Array(n) }))),
  ]);
  assert.ok(first?.type === "batch" && second?.type === "batch");
  assert.equal(first.bytes.buffer.byteLength, 7);
  assert.equal(second.bytes.buffer.byteLength, 3_000_000);
});

Deno.test("bytes that stop inside a frame are an error, also inside its length", () => {
  const bytes = encodeFrame({ type: "log", level: 0, text: "half" });
  for (let length = 1; length < bytes.length; length++) {
    const parser = new BridgeParser();
    assert.deepEqual(parser.push(bytes.subarray(0, length)), []);
    assert.throws(() => parser.finish(), BridgeError, `${length} bytes`);
  }
});

Deno.test("a broken parser stays broken", () => {
  const parser = new BridgeParser();
  const level6 = Uint8Array.of(0xff, 0xff, 0xff, 0xfe, 6, 0, 0, 0, 0);
  assert.throws(() => parser.push(level6), /log level as it must be 0 to 5: got 6/);
  assert.throws(() => parser.push(encodeFrame({ type: "end" })), BridgeError);
  assert.throws(() => parser.finish(), BridgeError);
});

Deno.test("a log with broken UTF-8 is shown as far as it goes, a topic with it is refused", () => {
  const broken = Uint8Array.of(0x61, 0xff);
  const log = concat([u32(0xfffffffe), Uint8Array.of(1), u32(2), broken]);
  assert.deepEqual(parse([log]), [{ type: "log", level: 1, text: "a\ufffd" }]);
  assert.throws(() => parse([concat([u32(0xfffffffd), u32(2), broken])]), /topic .* UTF-8/);
});

Deno.test("progress that is no JSON object is refused", () => {
  for (const text of ["", "[1]", "null", "7", "{", "[".repeat(100_000)]) {
    const body = new TextEncoder().encode(text);
    const frame = concat([u32(0xfffffffc), u32(body.length), body]);
    assert.throws(() => parse([frame]), BridgeError, text.slice(0, 10));
  }
});

const anyFrame: fc.Arbitrary<BridgeFrame> = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 200 }).map((bytes): BridgeFrame => ({
    type: "batch",
    bytes: new Uint8Array(bytes),
  })),
  fc.constant<BridgeFrame>({ type: "end" }),
  fc.string({ unit: "grapheme" }).map((message): BridgeFrame => ({ type: "error", message })),
  fc.tuple(fc.nat(5), fc.string({ unit: "grapheme" })).map(([level, text]): BridgeFrame => ({
    type: "log",
    level: level as BridgeLogLevel,
    text,
  })),
  fc.string({ unit: "grapheme" }).map((topic): BridgeFrame => ({ type: "topic", topic })),
  fc.dictionary(fc.string(), fc.nat()).map((json): BridgeFrame => ({
    type: "progress",
    json: JSON.parse(JSON.stringify(json)),
  })),
);

function frameOfVector(frame: Record<string, unknown>): BridgeFrame {
  if (frame.type === "batch") return { type: "batch", bytes: Uint8Array.fromHex(`${frame.bytes}`) };
  if (frame.type === "progress") return { type: "progress", json: JSON.parse(`${frame.json}`) };
  return frame as BridgeFrame;
}

function parse(chunks: Iterable<Uint8Array>): BridgeFrame[] {
  const parser = new BridgeParser();
  const frames: BridgeFrame[] = [];
  for (const chunk of chunks) frames.push(...parser.push(chunk));
  parser.finish();
  return frames;
}

/** Chunks reuse one buffer, as a socket reader does, so a parser that keeps one is caught. */
function* cut(bytes: Uint8Array, sizes: Iterator<number>): Generator<Uint8Array> {
  const reused = new Uint8Array(40);
  for (let at = 0; at < bytes.length;) {
    const size = Math.min(sizes.next().value, bytes.length - at);
    reused.set(bytes.subarray(at, at + size));
    yield reused.subarray(0, size);
    at += size;
  }
}

function concat(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}

function u32(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function externalBytes(): number {
  return Deno.memoryUsage().external;
}

function property(checked: fc.IRawProperty<unknown>): void {
  const seed = Number(Deno.env.get("SEED") ?? Date.now() % 2 ** 31);
  fc.assert(checked as fc.IProperty<unknown>, { seed, numRuns: 500 }); // a failure prints the seed
}
