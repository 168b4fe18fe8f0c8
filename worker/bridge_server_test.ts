import assert from "node:assert/strict";
import { join } from "node:path";
import { encodeFrame } from "../protocol/bridge.ts";
import { SHIM_BATCH_BYTES_MAX } from "../protocol/ids.ts";
import { BridgeConnection, BridgeServer } from "./bridge_server.ts";

/** A connection as the worker has it, and the other end as a plugin has it. */
async function withEnds(
  frameMsMax: number,
  use: (connection: BridgeConnection, plugin: Deno.UnixConn) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "s");
  const listener = Deno.listen({ transport: "unix", path });
  const [conn, plugin] = await Promise.all([
    listener.accept(),
    Deno.connect({ transport: "unix", path }),
  ]);
  const connection = new BridgeConnection(conn, frameMsMax);
  try {
    await use(connection, plugin);
  } finally {
    connection.close();
    plugin.close();
    listener.close();
    await Deno.remove(folder, { recursive: true });
  }
}

const batch = encodeFrame({ type: "batch", bytes: new Uint8Array(1000) });

// Goal: a byte now and then must not keep a frame, and the memory announced for it, alive for ever.
Deno.test("a frame that has begun must be whole in time, also if it comes byte by byte", async () => {
  await withEnds(100, async (connection, plugin) => {
    const drip = setInterval(() => plugin.write(new Uint8Array(1)).catch(() => {}), 10);
    try {
      await plugin.write(batch);
      await plugin.write(batch.subarray(0, 500));
      const frames = connection.frames();
      assert.equal((await frames.next()).value?.type, "batch");
      const { length } = batch.subarray(500);
      assert.ok(length > 100 / 10, "the drip alone would not finish it in time");
      await assert.rejects(frames.next(), /whole within 0.1 s/);
    } finally {
      clearInterval(drip);
    }
  });
});

Deno.test("the time in which nobody reads is not counted, nor that between frames", async () => {
  await withEnds(50, async (connection, plugin) => {
    const frames = connection.frames();
    await plugin.write(batch);
    assert.equal((await frames.next()).value?.type, "batch");
    const next = frames.next(); // longer than the limit, but no frame has begun
    await new Promise((resolve) => setTimeout(resolve, 80));
    await plugin.write(batch);
    await plugin.write(batch.subarray(0, 10));
    assert.equal((await next).value?.type, "batch");
    await new Promise((resolve) => setTimeout(resolve, 80)); // the sink is slow
    const last = frames.next();
    await plugin.write(batch.subarray(10));
    assert.equal((await last).value?.type, "batch");
  });
});

Deno.test("a batch larger than the shim's own is gathered only when it may be", async () => {
  await withEnds(1000, async (connection, plugin) => {
    const announced = new Uint8Array(4);
    new DataView(announced.buffer).setUint32(0, SHIM_BATCH_BYTES_MAX + 1);
    await plugin.write(announced);
    const asked = Promise.withResolvers<void>();
    const mayBe = Promise.withResolvers<void>();
    const frames = connection.frames(() => {
      asked.resolve();
      return mayBe.promise;
    });
    const next = frames.next();
    await asked.promise;
    connection.close();
    mayBe.resolve();
    assert.equal((await next).done, true);
  });
});

// Goal: each connection costs the worker a descriptor, of which it has a thousand or so.
Deno.test("strangers that say nothing are turned away when they are many, and a child still gets in", async () => {
  const folder = await Deno.makeTempDir();
  const server = new BridgeServer(join(folder, "s"));
  const strangers: Deno.UnixConn[] = [];
  try {
    for (let n = 0; n < 300; n++) {
      strangers.push(await Deno.connect({ transport: "unix", path: server.path }));
    }
    const expected = server.expect("me");
    const child = await Deno.connect({ transport: "unix", path: server.path });
    strangers.push(child);
    await child.write(new TextEncoder().encode('{"child":"me"}\n'));
    (await expected).close();
    const startMs = performance.now();
    const first = await strangers[0]!.read(new Uint8Array(1)).catch(() => null);
    assert.equal(first, null);
    assert.ok(performance.now() - startMs < 2000, "only its silence of 5 s ended it");
  } finally {
    for (const stranger of strangers) stranger.close();
    server.close();
    await Deno.remove(folder, { recursive: true });
  }
});
