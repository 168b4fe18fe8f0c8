import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import * as parts from "../tests/soak/zeromq_parts.ts";
import {
  curveKeypair,
  serveZap,
  type SocketOptions,
  zeromqAddonCandidates,
  ZmqContext,
  ZmqError,
  type ZmqSocket,
} from "./zeromq.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const frames = (...texts: string[]) => texts.map((text) => encoder.encode(text));
const texts = (message: { frames: Uint8Array[] } | undefined) =>
  message?.frames.map((frame) => decoder.decode(frame));

/** A ROUTER and a DEALER named "d" that have heard of each other. */
async function pair(context: ZmqContext, options: SocketOptions = {}, transport = "ipc" as const) {
  const router = context.socket("router", options);
  const dealer = context.socket("dealer", { ...options, identity: "d" });
  router.bind(parts.freeAddress(transport));
  dealer.connect(router.endpoint);
  dealer.send(frames("here"));
  assert.deepEqual(texts((await parts.receiveCount(router, 1))[0]), ["d", "here"]);
  return { router, dealer };
}

// The same proofs as in the soak, which runs them at full size.
for (const transport of ["ipc", "tcp"] as const) {
  Deno.test(`messages to another process and back stay in order over ${transport}`, async () => {
    await parts.roundTrips(transport, 5000);
  });
  Deno.test(`sockets opened and closed leave nothing behind over ${transport}`, async () => {
    await parts.connectsAndCloses(transport, 30);
  });
  Deno.test(`messages of many frames and of any size arrive whole over ${transport}`, async () => {
    await parts.multipart(transport, [0, 1, 33, 34, 255, 256, 65536, 1048576]);
  });
  Deno.test(`send() answers "full" and nothing is lost over ${transport}`, async () => {
    await parts.highWater(transport, { bytes: 1024, rounds: 3 });
  });
}
Deno.test("a DEALER goes on with the successor of a ROUTER that was killed", async () => {
  await parts.routerKilled("ipc", 1);
});
Deno.test("a ROUTER finds a killed DEALER unroutable and hears its successor", async () => {
  await parts.dealerKilled("tcp", 2);
});
Deno.test("CURVE lets known keys in under their user id, and nobody else", async () => {
  await parts.curve(100);
});
Deno.test("processes that wait for messages use next to no CPU", async () => {
  await parts.idle("ipc", 2000, 0.05); // shares of a short time are coarse; the soak asks for 0.005
});

Deno.test("bind() tells the real port, and whom to blame if it is taken", async () => {
  await using context = new ZmqContext();
  const first = context.socket("router");
  first.bind("tcp://127.0.0.1:*");
  assert.match(first.endpoint, /^tcp:\/\/127\.0\.0\.1:[1-9]\d+$/);
  assert.throws(() => context.socket("router").bind(first.endpoint), (error) => {
    assert.ok(error instanceof ZmqError);
    assert.equal(error.message, `Cannot bind ${first.endpoint}: Address already in use`);
    assert.equal(error.action, `bind ${first.endpoint}`);
    return true;
  });
});

Deno.test("connect() refuses an address that is none", async () => {
  await using context = new ZmqContext();
  const dealer = context.socket("dealer");
  assert.throws(() => dealer.connect("nowhere"), /^ZmqError: Cannot connect nowhere: Invalid/);
});

Deno.test("an option that libzmq refuses is named, its value is not", async () => {
  await using context = new ZmqContext();
  assert.throws(
    () => context.socket("router", { curveServer: { secretKey: "too short" } }),
    /^ZmqError: Cannot set curveSecretKey of a socket: Invalid argument$/,
  );
});

Deno.test("send() refuses a message without a frame, or at a ROUTER without a peer", async () => {
  await using context = new ZmqContext();
  const expected = (type: string, least: number, got: number) => ({
    name: "RangeError",
    message: `Cannot send as a ${type} needs ${least} frames or more: got ${got}`,
  });
  assert.throws(() => context.socket("dealer").send([]), expected("dealer", 1, 0));
  assert.throws(() => context.socket("router").send(frames("d")), expected("router", 2, 1));
});

Deno.test("a ROUTER answers unroutable for a peer it never heard of", async () => {
  await using context = new ZmqContext();
  const { router } = await pair(context);
  assert.equal(router.send(frames("nobody", "x")), "unroutable");
  assert.equal(router.send(frames("d", "x")), "sent");
});

Deno.test("a peer that returns while its old connection lives takes its place", async () => {
  await using context = new ZmqContext();
  const { router } = await pair(context);
  const successor = context.socket("dealer", { identity: "d" });
  successor.connect(router.endpoint);
  successor.send(frames("back"));
  assert.deepEqual(texts((await parts.receiveCount(router, 1))[0]), ["d", "back"]);
  assert.equal(router.send(frames("d", "welcome")), "sent");
  assert.deepEqual(texts((await parts.receiveCount(successor, 1))[0]), ["welcome"]);
});

Deno.test("a frame of exactly messageBytesMax passes, a larger one cuts its sender off", async () => {
  await using context = new ZmqContext();
  const server = curveKeypair();
  const client = { ...curveKeypair(), serverKey: server.publicKey };
  serveZap(context, () => "user");
  for (const encrypted of [false, true]) {
    const router = context.socket("router", {
      messageBytesMax: 1000,
      ...(encrypted ? { curveServer: server } : {}),
    });
    router.bind("tcp://127.0.0.1:*");
    const dealer = context.socket("dealer", {
      identity: "d",
      ...(encrypted ? { curveClient: client } : {}),
    });
    dealer.connect(router.endpoint);
    dealer.send([new Uint8Array(1000)]);
    const [atLimit] = await parts.receiveCount(router, 1);
    assert.equal(atLimit!.frames[1]!.length, 1000);
    dealer.send([new Uint8Array(1001)]);
    let next: string[] | undefined;
    await parts.until("connected again", () => { // what follows on the lost connection is lost, too
      dealer.send(frames("again"));
      return (next = texts(router.receive(1)[0])) !== undefined;
    });
    assert.deepEqual(next, ["d", "again"]);
    router.close();
  }
});

Deno.test("receive() gives no more messages than asked for and keeps the rest", async () => {
  await using context = new ZmqContext();
  const { router, dealer } = await pair(context);
  for (const text of ["1", "2", "3"]) dealer.send(frames(text));
  dealer.send(frames("last"));
  await parts.until("all there", () => router.send(frames("d", "x")) === "sent");
  const got: string[] = [];
  while (got.at(-1) !== "last") {
    await router.readable();
    const messages = router.receive(2);
    assert.ok(messages.length <= 2);
    got.push(...messages.map((message) => texts(message)![1]!));
  }
  assert.deepEqual(got, ["1", "2", "3", "last"]);
});

Deno.test("a SUB hears the topics it asked for and no other", async () => {
  await using context = new ZmqContext();
  const publisher = context.socket("pub");
  publisher.bind(parts.freeAddress("ipc"));
  const subscriber = context.socket("sub", { subscribe: ["job", "end"] });
  subscriber.connect(publisher.endpoint);
  const heard: string[][] = [];
  await parts.until("subscribed", () => {
    publisher.send(frames("worker", "1"));
    publisher.send(frames("job", "2"));
    heard.push(...subscriber.receive(1).map((message) => texts(message)!));
    return heard.length > 0;
  });
  publisher.send(frames("end"));
  while (heard.at(-1)![0] !== "end") {
    await subscriber.readable();
    heard.push(...subscriber.receive(100).map((message) => texts(message)!));
  }
  assert.deepEqual([...new Set(heard.map(([topic]) => topic))], ["job", "end"]);
});

Deno.test("sending while waiting does not swallow the news of a message", async () => {
  await using context = new ZmqContext();
  const { router, dealer } = await pair(context);
  const startMs = performance.now();
  for (let n = 0; n < 500; n++) {
    const waiting = dealer.readable();
    router.send(frames("d", `${n}`));
    for (let i = 0; i < 5; i++) dealer.send(frames("x")); // reads the socket's commands on the way
    await waiting;
    assert.deepEqual(texts((await parts.receiveCount(dealer, 1))[0]), [`${n}`]);
    await parts.receiveCount(router, 5);
  }
  const ms = performance.now() - startMs;
  assert.ok(ms < 5000, `500 waits took ${ms} ms: some ended only as the poll looks every second`);
});

Deno.test("several may wait for one socket, and all are told", async () => {
  await using context = new ZmqContext();
  const { router, dealer } = await pair(context);
  const waits = [dealer.readable(), dealer.readable()];
  router.send(frames("d", "x"));
  await Promise.all(waits);
  assert.equal(dealer.receive(10).length, 1);
});

Deno.test("a busy peer does not starve timers", async () => {
  await using context = new ZmqContext();
  const { router, dealer } = await pair(context);
  dealer.send(frames("never received, so there is always something to read"));
  await router.readable();
  let ticked = false;
  setTimeout(() => ticked = true, 1);
  for (let n = 0; n < 1_000_000 && !ticked; n++) await router.readable();
  assert.ok(ticked, "a million waits passed before the timer had its turn");
});

Deno.test("close() ends the wait, and what is closed stays closed", async () => {
  await using context = new ZmqContext();
  const { dealer } = await pair(context);
  const waiting = dealer.readable();
  dealer.close();
  await waiting;
  dealer.close();
  assert.equal(dealer.closed, true);
  assert.deepEqual(dealer.receive(1), []);
  await dealer.readable();
  const closed = /^Error: Cannot (send|bind|connect) as this dealer socket is closed$/;
  assert.throws(() => dealer.send(frames("x")), closed);
  assert.throws(() => dealer.bind("ipc:///nowhere"), closed);
  assert.throws(() => dealer.connect("ipc:///nowhere"), closed);
});

Deno.test("closing the context ends every wait, while its poll is running", async () => {
  for (let n = 0; n < 20; n++) {
    const context = new ZmqContext();
    const sockets: ZmqSocket[] = Array.from({ length: 20 }, () => context.socket("dealer"));
    const waits = sockets.map((socket) => socket.readable());
    const closing = context.close();
    await Promise.all([...waits, closing, context.close()]);
    assert.ok(sockets.every((socket) => socket.closed));
    assert.throws(() => context.socket("dealer"), /^Error: Cannot open a dealer socket as its con/);
  }
});

Deno.test("close() still delivers what was sent before", async () => {
  await using context = new ZmqContext();
  const address = parts.freeAddress("ipc");
  const dealer = context.socket("dealer", { identity: "d" });
  dealer.connect(address);
  dealer.send(frames("x"));
  dealer.close();
  const router = context.socket("router");
  router.bind(address);
  assert.deepEqual(texts((await parts.receiveCount(router, 1))[0]), ["d", "x"]);
});

Deno.test("a socket opened while others are waited for is told at once, too", async () => {
  await using context = new ZmqContext();
  const waiting = context.socket("dealer").readable(); // keeps a poll running that knows no newer socket
  const startMs = performance.now();
  for (let n = 0; n < 10; n++) {
    await new Promise((resolve) => setTimeout(resolve, 5)); // so that the poll runs by now
    await pair(context);
  }
  const ms = performance.now() - startMs;
  assert.ok(ms < 3000, `10 waits took ${ms} ms: some ended only as the poll looks every second`);
  await context.close();
  await waiting;
});

Deno.test("a CURVE server without a ZAP handler lets nobody in", async () => {
  await using context = new ZmqContext();
  const server = curveKeypair();
  const router = context.socket("router", { curveServer: server });
  router.bind("tcp://127.0.0.1:*");
  const curveClient = { ...curveKeypair(), serverKey: server.publicKey };
  await answerOf(router, context.socket("dealer", { curveClient }));
  assert.deepEqual(router.receive(1), []);
  serveZap(context, () => "user"); // the same keys get in, so what refused was the missing handler
  const dealer = context.socket("dealer", { curveClient });
  dealer.connect(router.endpoint);
  assert.equal(dealer.send(frames("x")), "sent");
  assert.equal((await parts.receiveCount(router, 1))[0]!.userId, "user");
});

/** Connects the dealer to the router by a relay; resolves when the router hung up or let it in. */
async function answerOf(router: ZmqSocket, dealer: ZmqSocket): Promise<void> {
  using relay = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  dealer.connect(`tcp://127.0.0.1:${(relay.addr as Deno.NetAddr).port}`);
  assert.equal(dealer.send(frames("x")), "sent");
  using from = await relay.accept();
  using to = await Deno.connect({ port: Number(router.endpoint.split(":").at(-1)) });
  const sent = from.readable.pipeTo(to.writable).catch(() => {}); // both break off
  const answered = to.readable.pipeTo(from.writable).catch(() => {}); // with the first that ends
  await Promise.race([sent, answered, router.readable()]);
}

Deno.test("serveZap() refuses a peer that it could not decide about, and says so", async () => {
  await using context = new ZmqContext();
  const server = curveKeypair();
  const failed = Promise.withResolvers<unknown>();
  const decide = () => {
    throw new Error("no key file");
  };
  const zap = serveZap(context, decide, failed.resolve);
  const router = context.socket("router", { curveServer: server });
  router.bind("tcp://127.0.0.1:*");
  const curveClient = { ...curveKeypair(), serverKey: server.publicKey };
  const dealer = context.socket("dealer", { curveClient, identity: "d" });
  dealer.connect(router.endpoint);
  dealer.send(frames("x"));
  assert.match(`${await failed.promise}`, /no key file/);
  assert.deepEqual(router.receive(1), []);
  assert.throws(() => serveZap(context, decide), /Address already in use/);
  zap.close();
  zap.close();
});

Deno.test("a program ends by itself after close(), needing no more than libzmq's path", async () => {
  const program = `
    import { ZmqContext } from "./zeromq.ts";
    const context = new ZmqContext();
    const dealer = context.socket("dealer");
    dealer.connect("ipc:///nobody.here");
    const waiting = dealer.readable();
    setTimeout(async () => {
      const startMs = performance.now();
      globalThis.addEventListener("unload", () => console.log(performance.now() - startMs));
      await context.close();
      await waiting;
    }, 50);`;
  const folder = fileURLToPath(new URL(".", import.meta.url));
  const file = await Deno.makeTempFile({ dir: folder, prefix: ".ending_", suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const ffi = `--allow-ffi=${zeromqAddonCandidates().join(",")}`;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-read", ffi, file],
    }).output();
    assert.equal(code, 0, decoder.decode(stderr));
    const endedMs = Number(decoder.decode(stdout));
    assert.ok(endedMs > 0 && endedMs < 1000, `it ended ${endedMs} ms after close()`);
  } finally {
    await Deno.remove(file);
  }
});
