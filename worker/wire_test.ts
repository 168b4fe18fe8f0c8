import assert from "node:assert/strict";
import { encodeJson } from "../protocol/codec.ts";
import type { Message } from "../protocol/messages.ts";
import { ZmqContext } from "../protocol/zeromq.ts";
import { FakeSentinel } from "../tests/fake_sentinel.ts";
import { Wire } from "./wire.ts";

interface Bench {
  readonly sentinel: FakeSentinel;
  readonly wire: Wire;
  readonly malformed: { reason: string; answer: boolean; jobId: number }[];
  message(): Promise<Message>;
}

async function withWire(use: (bench: Bench) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  const address = `ipc://${root}/s`;
  const sentinel = new FakeSentinel(address, false);
  const context = new ZmqContext();
  const malformed: Bench["malformed"] = [];
  const waiting: ((message: Message) => void)[] = [];
  const wire = new Wire(context, address, {
    message: (message) => waiting.shift()?.(message),
    malformed: (reason, answer, jobId) => malformed.push({ reason, answer, jobId }),
  });
  const message = () => new Promise<Message>((resolve) => waiting.push(resolve));
  try {
    await use({ sentinel, wire, malformed, message });
  } finally {
    wire.close();
    wire.close();
    await context.close();
    await sentinel.close();
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("messages go both ways, also after a new connection", async () => {
  await withWire(async ({ sentinel, wire, message }) => {
    for (let i = 1; i <= 2; i++) {
      wire.send("heartbeat", 0, { status: "IDLE" });
      await sentinel.next("heartbeat");
      const answer = message();
      sentinel.send("abort", i, {});
      assert.deepEqual(await answer, { name: "abort", jobId: i, body: {} });
      wire.reconnect();
    }
  });
});

Deno.test("what libzmq can not take at once is sent later, in order", async () => {
  await withWire(async ({ sentinel, wire }) => {
    const count = 5000; // five times what libzmq queues
    for (let id = 1; id <= count; id++) wire.send("env_ready", id, ready(id));
    const last = await sentinel.next("env_ready", ({ jobId }) => jobId === count);
    assert.equal(last.body.env_hash, `${count}`);
    assert.deepEqual(
      sentinel.heard.map(({ jobId }) => jobId),
      [...Array(count).keys()].map((n) => n + 1),
    );
  });
});

Deno.test("bytes that are no message are told, and a broken ERR is not to be answered", async () => {
  await withWire(async ({ sentinel, wire, malformed, message }) => {
    wire.send("heartbeat", 0, { status: "IDLE" });
    await sentinel.next("heartbeat");
    const next = message();
    sentinel.sendFrames([new Uint8Array(3)]);
    const brokenErr = new Uint8Array(16);
    brokenErr.set([4, 6]);
    sentinel.sendFrames([brokenErr, new Uint8Array(5)]);
    const dispatch = encodeJson("dispatch", 7, `{"plugin_name":"p"}`);
    sentinel.sendFrames(dispatch);
    sentinel.sendFrames([dispatch[0], new TextEncoder().encode("{")]);
    sentinel.send("reload", 0, {});
    await next;
    const told = malformed.map(({ answer, jobId }) => [answer, jobId]);
    assert.deepEqual(told, [[true, 0], [false, 0], [true, 7], [true, 7]]);
  });
});

const ready = (id: number) => ({ env_hash: `${id}`, interpreter_path: "/p" });
