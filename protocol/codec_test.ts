import assert from "node:assert/strict";
import fc from "fast-check";
import { valuesOf } from "../tests/schema_arbitrary.ts";
import vectors from "../tests/vectors/control_messages.json" with { type: "json" };
import { decode, decodeHeader, encode, encodeJson, HEADER_BYTES } from "./codec.ts";
import { ProtocolError } from "./errors.ts";
import { BODY_BYTES_MAX, ID_MAX, SOURCE_BODY_BYTES_MAX } from "./ids.ts";
import { type MessageName, MESSAGES } from "./messages.ts";

const NAMES = Object.keys(MESSAGES) as MessageName[];
const utf8 = new TextEncoder();

Deno.test("every golden message reads as its vector says", async (t) => {
  for (const { title, name, job_id, header, payload, read } of vectors.messages) {
    await t.step(title, () => {
      const message = decode([Uint8Array.fromHex(header), utf8.encode(payload)]);
      assert.equal(message.name, name);
      assert.equal(message.jobId, job_id);
      assert.deepEqual(asJson(message.body), read ?? JSON.parse(payload));
    });
  }
});

Deno.test("every golden message is written as its vector says, byte by byte", async (t) => {
  for (const { title, name, job_id, header, payload, read } of vectors.messages) {
    if (read) continue; // it shows what we accept and never send
    await t.step(title, () => {
      const frames = encode(name as MessageName, job_id, JSON.parse(payload));
      assert.equal(frames[0].toHex(), header);
      assert.equal(new TextDecoder().decode(frames[1]), payload);
    });
  }
});

Deno.test("there is a golden message for every opcode", () => {
  assert.deepEqual(new Set(vectors.messages.map(({ name }) => name)), new Set(NAMES));
});

Deno.test("every broken message is refused by the part that is to blame", async (t) => {
  for (const { title, part, frames } of vectors.refused) {
    await t.step(title, () => {
      assert.throws(() => decode(frames.map((hex) => Uint8Array.fromHex(hex))), (error) => {
        assert.ok(error instanceof ProtocolError, String(error));
        assert.equal(error.part, part, error.message);
        assert.match(error.message, /^Cannot decode .+ as it must be .+: got /);
        return true;
      });
    });
  }
});

Deno.test("every message comes back as it was sent", async (t) => {
  for (const name of NAMES) {
    await t.step(name, () => {
      property(
        fc.property(valuesOf(MESSAGES[name].body), fc.nat(ID_MAX), (body, jobId) => {
          const frames = encode(name, jobId, body as never);
          assert.deepEqual(decode(frames), { name, jobId, body });
        }),
      );
    });
  }
});

Deno.test("any two frames give a message or a ProtocolError", () => {
  const bytes = fc.uint8Array({ maxLength: 40 });
  property(fc.property(fc.array(bytes, { maxLength: 3 }), (frames) => orProtocolError(frames)));
});

Deno.test("any payload under a right header gives a message or a ProtocolError", () => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.json({ maxDepth: 4 }).map((text) => utf8.encode(text)),
  );
  property(fc.property(fc.constantFrom(...NAMES), payload, (name, payload) => {
    orProtocolError([headerOf(name, payload.length), payload]);
  }));
});

Deno.test("a good body with one value swapped for any other gives a message or a ProtocolError", () => {
  const swapped = fc.constantFrom(...NAMES).chain((name) =>
    fc.tuple(fc.constant(name), valuesOf(MESSAGES[name].body), fc.nat(), fc.jsonValue())
  );
  property(fc.property(swapped, ([name, body, at, value]) => {
    const keys = Object.keys(body as object);
    const key = keys[at % Math.max(keys.length, 1)] ?? "message";
    const payload = utf8.encode(JSON.stringify({ ...body as object, [key]: value }));
    orProtocolError([headerOf(name, payload.length), payload]);
  }));
});

Deno.test("unknown keys never change what is read", () => {
  const extra = fc.string().filter((key) => key !== "__proto__");
  property(fc.property(valuesOf(MESSAGES.heartbeat.body), extra, (body, key) => {
    fc.pre(!(key in MESSAGES.heartbeat.body.shape));
    const more = { ...body as object, [key]: { deep: [null] } };
    assert.deepEqual(decode(encodeJson("heartbeat", 0, JSON.stringify(more))).body, body);
  }));
});

Deno.test("a length over its opcode's bound is refused by the header alone", () => {
  for (const name of NAMES) {
    const { bodyBytesMax } = MESSAGES[name];
    assert.equal(decodeHeader(headerOf(name, bodyBytesMax)).bodyBytes, bodyBytesMax);
    const over = headerOf(name, bodyBytesMax + 1);
    assert.throws(() => decodeHeader(over), { name: "ProtocolError", part: "payload length" });
    // Not a byte of the payload is looked at: this one would be refused for its encoding.
    const payload = new Uint8Array(bodyBytesMax + 1).fill(0xff);
    assert.throws(() => decode([over, payload]), { part: "payload length" });
  }
});

Deno.test("the reserved bytes are sent as zero and not looked at", () => {
  const [header, payload] = encode("abort", 7, {});
  assert.deepEqual([...header.subarray(2, 4)], [0, 0]);
  header.fill(0xff, 2, 4);
  assert.deepEqual(decode([header, payload]), { name: "abort", jobId: 7, body: {} });
});

Deno.test("a job id goes up to 2^53-1 and no further, both ways", () => {
  assert.equal(decode(encode("abort", ID_MAX, {})).jobId, ID_MAX);
  for (const jobId of [ID_MAX + 1, -1, 0.5, NaN]) {
    assert.throws(() => encode("abort", jobId, {}), RangeError);
  }
});

Deno.test("an empty payload reads as an empty object, as plain v4 peers send RELOAD", () => {
  const header = headerOf("reload", 0);
  assert.deepEqual(decode([header, new Uint8Array(0)]).body, {});
  assert.throws(() => decode([headerOf("err", 0), new Uint8Array(0)]), { part: "err message" });
});

Deno.test("a body over its bound is not sent", () => {
  const message = "x".repeat(BODY_BYTES_MAX - '{"message":""}'.length);
  assert.equal(encode("err", 0, { message })[1].length, BODY_BYTES_MAX);
  assert.throws(() => encode("err", 0, { message: `${message}x` }), RangeError);
});

Deno.test("text survives whole, lone surrogates and the zero character included", () => {
  for (const message of ["", "\0", "é\u{1f600}", "\ud800", "\ufeff", "\u2028"]) {
    assert.equal(
      (decode(encode("err", 0, { message })).body as { message: string }).message,
      message,
    );
  }
});

Deno.test("a frame that is a view into a larger buffer is read at its own place", () => {
  const [header, payload] = encode("abort", 9, { attempt: 3 });
  const all = new Uint8Array([0xaa, 0xbb, 0xcc, ...header, ...payload, 0xdd]);
  const frames = [all.subarray(3, 3 + HEADER_BYTES), all.subarray(3 + HEADER_BYTES, -1)];
  assert.deepEqual(decode(frames), { name: "abort", jobId: 9, body: { attempt: 3 } });
});

Deno.test("64 MiB of brackets is refused before it is parsed", () => {
  const payload = new Uint8Array(SOURCE_BODY_BYTES_MAX).fill("[".charCodeAt(0));
  assert.throws(() => decode([headerOf("deploy", payload.length), payload]), {
    part: "deploy payload",
    must: "<= 64 deep",
  });
});

function property(checked: fc.IRawProperty<unknown>): void {
  fc.assert(checked, { numRuns: 300 }); // a failure prints its seed and path
}

function orProtocolError(frames: readonly Uint8Array[]): void {
  try {
    decode(frames);
  } catch (error) {
    assert.ok(error instanceof ProtocolError, `${error} for ${frames.map((f) => f.toHex())}`);
  }
}

function headerOf(name: MessageName, payloadBytes: number): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint8(0, 4);
  view.setUint8(1, MESSAGES[name].opcode);
  view.setUint32(12, payloadBytes);
  return header;
}

/** Without the keys whose value is undefined: what a peer would see of it. */
function asJson(body: unknown): unknown {
  return JSON.parse(JSON.stringify(body));
}
