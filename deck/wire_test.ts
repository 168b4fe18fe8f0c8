import assert from "node:assert/strict";
import { decode, encode } from "../protocol/codec.ts";
import { ControlError } from "../protocol/control.ts";
import { ZmqContext, type ZmqSocket } from "../protocol/zeromq.ts";
import { connect } from "./wire.ts";

const INFO = {
  version: "0",
  pid: 1,
  address: "a",
  events_address: "e",
  database: "d",
  started_at_ms: 1,
};

type Reply = { result: unknown } | { error: { code: string; message: string } } | null;

/** A ROUTER that answers each CALL by `answer`; null leaves it without any answer. */
async function withRouter(
  answer: (method: string) => Reply,
  use: (address: string) => Promise<void>,
): Promise<void> {
  const context = new ZmqContext();
  const router = context.socket("router");
  router.bind("tcp://127.0.0.1:*");
  const serving = serve(router, answer);
  try {
    await use(router.endpoint);
  } finally {
    await context.close();
    await serving;
  }
}

async function serve(router: ZmqSocket, answer: (method: string) => Reply): Promise<void> {
  while (!router.closed) {
    for (const { frames: [peer, ...frames] } of router.receive(16)) {
      const message = decode(frames);
      assert.equal(message.name, "call");
      const { id, method } = message.body as { id: number; method: string };
      const reply = answer(method);
      if (reply) router.send([peer!, ...encode("reply", 0, { id, ...reply })]);
    }
    await router.readable();
  }
}

Deno.test("a call gets its own reply, or the sentinel's refusal", async () => {
  await withRouter((method) => {
    if (method === "system.info") return { result: INFO };
    if (method === "rules.list") return { result: { rules: [] } };
    return { error: { code: "not_found", message: "Cannot find job 7" } };
  }, async (address) => {
    const { client, info, close } = await connect(address);
    assert.deepEqual(info, INFO);
    const refused = client.call("jobs.get", { job_id: 7 });
    assert.deepEqual(await client.call("rules.list", {}), { rules: [] });
    await assert.rejects(
      refused,
      (error: ControlError) =>
        error instanceof ControlError && error.code === "not_found" && /job 7/.test(error.message),
    );
    await close();
  });
});

Deno.test("nobody at the address is told within the time given, with what to do", async () => {
  await withRouter(() => null, async (address) => {
    await assert.rejects(
      connect(address, { helloMs: 50 }),
      /nothing answered within 0.05 s.*casparian start/,
    );
  });
});

Deno.test("closing a connection ends the calls that wait", async () => {
  await withRouter(
    (method) => method === "system.info" ? { result: INFO } : null,
    async (address) => {
      const { client, close } = await connect(address);
      const waiting = assert.rejects(client.call("roots.list", {}), /was closed/);
      await close();
      await waiting;
    },
  );
});
