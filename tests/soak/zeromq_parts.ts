/**
 * What is proved of the ZeroMQ binding, each part in a size of one's choice: small in zeromq_test.ts, full
 * in zeromq_soak.ts. A part throws if it finds anything wrong, else it tells in a line what it measured.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers/promises";
import {
  curveKeypair,
  type Message,
  serveZap,
  ZmqContext,
  type ZmqSocket,
} from "../../protocol/zeromq.ts";
import { Peer } from "./zeromq_peer.ts";

const BATCH = 256;
const WAIT_MS_MAX = 20_000;
const KIB = 1024;
const MIB = 1024 * 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export type Transport = "ipc" | "tcp";

const sockets = Deno.makeTempDirSync({ prefix: "zeromq_" });
addEventListener("unload", () => Deno.removeSync(sockets, { recursive: true }));
let socketsMade = 0;

export function freeAddress(transport: Transport): string {
  return transport === "tcp" ? "tcp://127.0.0.1:*" : `ipc://${sockets}/${++socketsMade}`;
}

/** The next `count` messages of a socket. */
export async function receiveCount(socket: ZmqSocket, count: number): Promise<Message[]> {
  const messages: Message[] = [];
  while (messages.length < count) {
    await readableInTime(socket);
    messages.push(...socket.receive(Math.min(BATCH, count - messages.length)));
  }
  return messages;
}

/** Fails after a while, so that a message that never comes fails a test and does not hang it. */
async function readableInTime(socket: ZmqSocket): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => late.reject(new Error(`Nothing came from ${socket.endpoint} in ${WAIT_MS_MAX} ms`)),
    WAIT_MS_MAX,
  );
  try {
    await Promise.race([socket.readable(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Repeats an action until it says so; libzmq tells nobody when a peer comes or goes. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS_MAX;
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error(`Not ${what} after ${WAIT_MS_MAX} ms`);
    await setImmediate();
  }
}

/** Numbered messages to an echoing process and back, in order, with up to `window` under way. */
export async function roundTrips(transport: Transport, count: number, window = 64) {
  await using peer = await Peer.start("router", freeAddress(transport));
  await using context = new ZmqContext();
  const dealer = context.socket("dealer");
  dealer.connect(peer.endpoint);
  const body = encoder.encode('{"status":"SUCCESS","metrics":{"rows":3},"artifacts":[]}');
  const sendNumbered = (n: number) =>
    assert.equal(dealer.send([new Uint8Array(BigUint64Array.of(BigInt(n)).buffer), body]), "sent");
  const startMs = performance.now();
  let sent = 0;
  while (sent < Math.min(window, count)) sendNumbered(sent++);
  for (let got = 0; got < count;) {
    await readableInTime(dealer);
    for (const { frames: [number, echoed] } of dealer.receive(BATCH)) {
      if (new BigUint64Array(number!.buffer)[0] !== BigInt(got)) {
        assert.fail(`out of order: ${got}`);
      }
      if (echoed!.length !== body.length) assert.fail(`damaged: ${got}`);
      got++;
      if (sent < count) sendNumbered(sent++);
    }
  }
  const seconds = (performance.now() - startMs) / 1000;
  return `${count} in order, window ${window}, ${Math.round(count / seconds)}/s`;
}

/** Opens, uses and closes one socket after the other. */
export async function connectsAndCloses(transport: Transport, count: number) {
  await using peer = await Peer.start("router", freeAddress(transport));
  await using context = new ZmqContext();
  const before = openDescriptors();
  const startMs = performance.now();
  for (let n = 0; n < count; n++) {
    const dealer = context.socket("dealer");
    dealer.connect(peer.endpoint);
    dealer.send([encoder.encode(`${n}`)]);
    const [answer] = await receiveCount(dealer, 1);
    assert.equal(decoder.decode(answer!.frames[0]), `${n}`);
    dealer.close();
  }
  const ms = (performance.now() - startMs) / count;
  await until("all descriptors closed", () => openDescriptors() <= before + 5);
  return `${count} connects, ${ms.toFixed(1)} ms each, ${
    openDescriptors() - before
  } descriptors left`;
}

function openDescriptors(): number {
  return Deno.build.os === "linux" ? [...Deno.readDirSync("/proc/self/fd")].length : 0;
}

/** Messages of several frames of these sizes, there and back, every byte compared. */
export async function multipart(transport: Transport, sizes: readonly number[]) {
  await using peer = await Peer.start("router", freeAddress(transport));
  await using context = new ZmqContext();
  const dealer = context.socket("dealer", { messageBytesMax: Math.max(...sizes) });
  dealer.connect(peer.endpoint);
  const frames = sizes.map(patterned);
  for (const message of [...frames.map((frame) => [frame]), frames]) {
    assert.equal(dealer.send(message), "sent");
    const [answer] = await receiveCount(dealer, 1);
    assert.equal(answer!.frames.length, message.length);
    for (const [index, frame] of message.entries()) {
      assert.ok(
        Buffer.compare(frame, answer!.frames[index]!) === 0,
        `${frame.length} bytes differ`,
      );
    }
  }
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return `${sizes.length} sizes of ${sizes[0]} to ${
    sizes.at(-1)
  } bytes, alone and as one message of ${(bytes / MIB).toFixed(1)} MiB`;
}

export const SIZES = [0, 1, 33, 34, 255, 256, 64 * KIB, MIB, 8 * MIB, 64 * MIB] as const;

/** Bytes that repeat at no power of two, so that a shifted or doubled block shows. */
function patterned(bytes: number): Uint8Array {
  const frame = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) frame[i] = (i * 31 + (i >> 8)) % 251;
  return frame;
}

/** Kills the process that a DEALER streams to; the next one on the same address is served. */
export async function routerKilled(transport: Transport, times: number) {
  await using context = new ZmqContext();
  const dealer = context.socket("dealer", { sendHighWater: 100 });
  let peer = await Peer.start("router", freeAddress(transport));
  dealer.connect(peer.endpoint);
  let [answered, full] = [0, 0];
  for (let life = 0; life <= times; life++) {
    if (life > 0) peer = await Peer.start("router", peer.endpoint);
    const mark = `life ${life}`;
    for (let seen = false; !seen;) {
      if (dealer.send(["a", mark, "z"].map((part) => encoder.encode(part))) === "full") full++;
      for (const { frames } of dealer.receive(BATCH)) {
        const [first, middle, last, ...more] = frames.map((frame) => decoder.decode(frame));
        assert.deepEqual([first, last, more], ["a", "z", []], "a message came in pieces");
        seen ||= middle === mark;
        answered++;
      }
      await setImmediate();
    }
    // In mid-stream: the last parts of a message may meet a connection that is just gone.
    const gone = peer.kill();
    for (let n = 0; n < 2000; n++) {
      dealer.send(["a", mark, "z"].map((part) => encoder.encode(part)));
    }
    await gone;
  }
  return `${times} times killed, reconnected each time, ${answered} answers, all whole, ${full} "full"`;
}

/** Kills the process behind a DEALER; the ROUTER finds it unroutable, then hears its successor. */
export async function dealerKilled(transport: Transport, times: number) {
  await using context = new ZmqContext();
  const router = context.socket("router");
  router.bind(freeAddress(transport));
  const ping = [encoder.encode("w-1"), encoder.encode("ping")];
  for (let life = 0; life < times; life++) {
    await using peer = await Peer.start("dealer", router.endpoint, "w-1");
    const [hello] = await receiveCount(router, 1);
    assert.deepEqual(hello!.frames.map((frame) => decoder.decode(frame)), ["w-1", "hello"]);
    assert.equal(router.send(ping), "sent");
    const [pong] = await receiveCount(router, 1);
    assert.equal(decoder.decode(pong!.frames[1]), "ping");
    await peer.kill();
    await until("unroutable", () => {
      assert.deepEqual(router.receive(1), []); // a ROUTER learns that a peer is gone as it reads
      return router.send(ping) === "unroutable";
    });
  }
  return `${times} times killed, each time unroutable, then back under the same identity`;
}

/** Sends until "full" to someone who does not read, then reads it all: in order, and nothing is lost. */
export async function highWater(
  transport: Transport,
  { bytes, rounds }: { bytes: number; rounds: number },
) {
  await using context = new ZmqContext();
  const marks = { sendHighWater: 100, receiveHighWater: 100 };
  const router = context.socket("router", marks);
  const dealer = context.socket("dealer", { ...marks, identity: "d" });
  router.bind(freeAddress(transport));
  dealer.connect(router.endpoint);
  const identity = encoder.encode("d");
  dealer.send([encoder.encode("here")]);
  await receiveCount(router, 1);
  const counts: number[] = [];
  for (let round = 0; round < rounds; round++) {
    counts.push(await fillAndDrain((frames) => dealer.send(frames), router, bytes));
    counts.push(await fillAndDrain((frames) => router.send([identity, ...frames]), dealer, bytes));
  }
  return `${rounds} rounds each way, full after ${Math.min(...counts)} to ${
    Math.max(...counts)
  } messages of ${bytes} bytes, all there`;
}

async function fillAndDrain(
  send: (frames: Uint8Array[]) => string,
  receiver: ZmqSocket,
  bytes: number,
): Promise<number> {
  const body = new Uint8Array(bytes);
  await until("writable again", () => send([encoder.encode("start")]) === "sent");
  let sent = 0;
  while (send([encoder.encode(`${sent}`), body]) === "sent") sent++;
  assert.ok(sent > 0, "full at once, though all was read");
  const received = await receiveCount(receiver, sent + 1);
  const numbers = received.map(({ frames }) => decoder.decode(frames.at(-2)));
  assert.deepEqual(numbers.slice(1), Array.from({ length: sent }, (_, n) => `${n}`));
  await setImmediate();
  assert.deepEqual(receiver.receive(1), [], "more came than was sent");
  return sent;
}

/** Two known users, a stranger's key and a plain client at one CURVE server. */
export async function curve(count: number) {
  await using context = new ZmqContext();
  const [server, ada, bob, stranger] = [1, 2, 3, 4].map(curveKeypair);
  const users = new Map([[ada!.publicKey, "worker:ada"], [bob!.publicKey, "viewer:bob"]]);
  const asked = new Set<string>();
  serveZap(context, ({ publicKey }) => {
    asked.add(publicKey);
    return users.get(publicKey) ?? null;
  });
  const router = context.socket("router", { curveServer: server! });
  router.bind(freeAddress("tcp"));
  const join = (keys?: { publicKey: string; secretKey: string }) => {
    const curveClient = keys && { ...keys, serverKey: server!.publicKey };
    const dealer = context.socket("dealer", curveClient ? { curveClient } : {});
    dealer.connect(router.endpoint);
    dealer.send([encoder.encode("let me in")]);
    return dealer;
  };
  join();
  join(stranger);
  await until("asked about the stranger", () => asked.has(stranger!.publicKey));
  const [adas, bobs] = [join(ada), join(bob)];
  const heard = await receiveCount(router, 2);
  assert.deepEqual(heard.map(({ userId }) => userId).sort(), ["viewer:bob", "worker:ada"]);
  const startMs = performance.now();
  for (let n = 0; n < count; n++) {
    const [dealer, user] = n % 2 ? [adas, "worker:ada"] : [bobs, "viewer:bob"];
    assert.equal(dealer.send([encoder.encode(`${n}`)]), "sent");
    const [message] = await receiveCount(router, 1);
    assert.equal(message!.userId, user);
    assert.equal(decoder.decode(message!.frames[1]), `${n}`, "somebody else got through");
    router.send(message!.frames);
    await receiveCount(dealer, 1);
  }
  const us = (performance.now() - startMs) / count * 1000;
  return `${count} round trips of 2 users, ${
    us.toFixed(0)
  } us each; stranger and plain client: nothing`;
}

/** CPU time of two connected processes that wait for nothing, as a share of one core. */
export async function idle(transport: Transport, forMs: number, shareMax: number) {
  await using context = new ZmqContext();
  await using bound = await Peer.start("router", freeAddress(transport));
  const dealer = context.socket("dealer");
  dealer.connect(bound.endpoint);
  const router = context.socket("router");
  router.bind(freeAddress(transport));
  await using _connected = await Peer.start("dealer", router.endpoint, "idler");
  await receiveCount(router, 1);
  const usageUs = async () => {
    dealer.send([encoder.encode("usage")]);
    router.send([encoder.encode("idler"), encoder.encode("usage")]);
    const answers = [await receiveCount(dealer, 1), await receiveCount(router, 1)];
    return answers.map(([answer]) => Number(decoder.decode(answer!.frames.at(-1))));
  };
  const before = await usageUs();
  await new Promise((resolve) => setTimeout(resolve, forMs));
  const after = await usageUs();
  const shares = after.map((us, index) => (us - before[index]!) / 1000 / forMs);
  const percents = shares.map((share) => `${(share * 100).toFixed(3)} %`).join(" and ");
  assert.ok(shares.every((share) => share < shareMax), `idle processes used ${percents} of a core`);
  return `${(forMs / 60_000).toFixed(1)} min, ${percents} of a core`;
}
