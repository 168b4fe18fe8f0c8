import assert from "node:assert/strict";
import { decode, encode } from "../protocol/codec.ts";
import { ZmqContext, type ZmqSocket } from "../protocol/zeromq.ts";
import { Wire } from "./wire.ts";

async function messagesOf(wire: Wire, count: number) {
  const received = [];
  while (received.length + wire.refused < count) {
    received.push(...wire.receive(64));
    if (received.length + wire.refused < count) await wire.readable();
  }
  return received;
}

/** Everything the peer was told, up to the HEARTBEAT that the test sends last. */
async function toldUntilHeartbeat(socket: ZmqSocket): Promise<string[]> {
  const told: string[] = [];
  for (;;) {
    for (const { frames } of socket.receive(64)) {
      const { name } = decode(frames);
      if (name === "heartbeat") return told;
      told.push(name);
    }
    await socket.readable();
  }
}

// Goal: a broken or hostile peer costs us one answer a second, whatever it sends and whoever answers.
Deno.test("garbage is counted and answered by one ERR a second, an ERR never", async () => {
  const folder = await Deno.makeTempDir();
  const clock = { now: 1000, nowMs: () => clock.now };
  const wire = new Wire(`ipc://${folder}/c`, `ipc://${folder}/e`, clock);
  const context = new ZmqContext();
  try {
    const peer = context.socket("dealer", { lingerMs: 0 });
    peer.connect(wire.address);
    const [header] = encode("err", 0, { message: "x" });
    peer.send([header, new Uint8Array(3)]); // an ERR whose length lies
    for (let n = 0; n < 5; n++) peer.send([new Uint8Array([1, 2, 3])]);
    peer.send(encode("heartbeat", 0, { status: "IDLE" }));
    const [heartbeat] = await messagesOf(wire, 7);
    assert.equal(wire.refused, 6);
    const answer = (message: string) => wire.send(heartbeat!.peer, "err", 0, { message });
    answer("within the second");
    clock.now += 1000;
    answer("a second later");
    wire.send(heartbeat!.peer, "heartbeat", 0, { status: "ALIVE" });
    assert.deepEqual(await toldUntilHeartbeat(peer), ["err", "err"]);
  } finally {
    await context.close();
    await wire.close();
    await Deno.remove(folder, { recursive: true });
  }
});
