/** (d) Dispatch: a real sentinel and store, 20,000 queued jobs, simulated workers over real ZeroMQ. */
import { join } from "node:path";
import { decode, encode } from "../../protocol/codec.ts";
import { FEATURES } from "../../protocol/messages.ts";
import { ZmqContext, type ZmqSocket } from "../../protocol/zeromq.ts";
import { openSqliteStore } from "../../sentinel/store/sqlite.ts";
import { round, type Row, startProgram, until } from "./system.ts";

const JOBS = 20_000;
const WORKERS = 50;
const SLOTS = 8;
const BATCH = 1000;

export async function dispatch(directory: string): Promise<Row[]> {
  const state = join(directory, "state");
  Deno.mkdirSync(state, { recursive: true });
  const enqueueMs = await fillStore(join(state, "casparian.sqlite3"));
  await using _sentinel = startProgram("sentinel", ["--state", state], directory);
  const file = join(state, "sentinel.json");
  await until("the sentinel", () => Deno.statSync(file).isFile);
  const { address } = JSON.parse(Deno.readTextFileSync(file));
  const seconds = await work(address);
  return [
    {
      what: "(d) enqueue (files seen and queued)",
      value: round(JOBS / enqueueMs * 1000, 0),
      unit: "jobs/s",
    },
    {
      what: `(d) dispatch, ${WORKERS} simulated workers`,
      value: round(JOBS / seconds, 0),
      unit: "jobs/s",
    },
  ];
}

async function fillStore(path: string): Promise<number> {
  const store = openSqliteStore(path, () => 1);
  const rootId = await store.addRoot({ name: "r", directory: "/r", settleMs: 0, pollMs: 1000 });
  const { pluginId } = await store.addPlugin({
    name: "p",
    version: "1",
    sourceCode: "#".repeat(1500),
    sourceHash: "s",
    artifactHash: "a".repeat(64),
    envHash: null,
    patterns: ["*"],
    topics: ["t"],
    manifest: {},
    requirements: [],
    python: null,
    signature: "",
    publisher: "",
    nowMs: 1,
  });
  await store.commit([{ type: "plugin_activated", pluginId, nowMs: 1 }]);
  await store.intakeProgress(pluginId, null);
  const start = performance.now();
  for (let first = 0; first < JOBS; first += BATCH) {
    const seen = Array.from({ length: BATCH }, (_, n) => ({
      folder: "",
      name: `f${first + n}`,
      size: 1,
      mtimeMs: 1,
      contentHash: String(first + n),
    }));
    const files = await store.observe({ rootId, seen, deleted: [], unreadable: [], mended: [] }, 1);
    await store.enqueue(
      files.map(({ fileId, versionId }) => ({
        pluginId,
        pluginName: "p",
        fileId,
        fileVersionId: versionId,
        priority: 0,
      })),
      1,
    );
  }
  const tookMs = performance.now() - start;
  await store.removeRoot("r", 1); // its files do not exist: nobody is to scan it
  await store.close();
  return tookMs;
}

/** Seconds from the first DISPATCH to the last ACK. */
async function work(address: string): Promise<number> {
  await using context = new ZmqContext();
  let [acked, startMs] = [0, 0];
  const done = Promise.withResolvers<void>();
  for (let n = 0; n < WORKERS; n++) void serve(context.socket("dealer", { lingerMs: 0 }), n);
  await done.promise;
  return (performance.now() - startMs) / 1000;

  async function serve(socket: ZmqSocket, n: number): Promise<void> {
    socket.connect(address);
    socket.send(encode("identify", 0, {
      capabilities: ["*"],
      worker_id: `sim-${n}`,
      features: [...FEATURES],
      slots: SLOTS,
      envs: [""], // the plugin of this benchmark needs no environment
    }));
    while (!socket.closed) {
      for (const { frames } of socket.receive(256)) {
        const { name, jobId, body } = decode(frames);
        if (name === "dispatch") {
          startMs ||= performance.now();
          const uri = `/out/${jobId}.parquet`;
          const { attempt, generation } = body as { attempt: number; generation: number };
          socket.send(encode("conclude", jobId, {
            status: "SUCCESS",
            metrics: { rows: 1, run_ms: 1 },
            artifacts: [],
            attempt,
            outputs: [{ topic: "t", uri, rows: 1, bytes: 1, staged: `${uri}.staged`, generation }],
          }));
        }
        if (name === "heartbeat") socket.send(encode("heartbeat", 0, { status: "ALIVE" }));
        if (name === "ack" && ++acked === JOBS) done.resolve();
      }
      await socket.readable();
    }
  }
}
