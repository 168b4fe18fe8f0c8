/** A job's surroundings as tests want them: a plugin by script, sinks that fail on demand. */
import { join } from "node:path";
import type { BridgeFrame } from "../protocol/bridge.ts";
import type { MessageBody } from "../protocol/messages.ts";
import { type JobParts, JobRun } from "./job_runner.ts";
import { LargeFrames } from "./large_frames.ts";
import { LogCapture } from "./log_capture.ts";
import { PluginDied, type PluginJob, type PluginRun } from "./plugin_run.ts";
import { type OutputSpec, type OutputWriter, SinkError, type StagedOutput } from "./sinks/sink.ts";

export const batch = (): BridgeFrame => ({ type: "batch", bytes: Uint8Array.of(1, 2, 3) });
export const topic = (topic: string): BridgeFrame => ({ type: "topic", topic });

export type Script = (job: PluginJob, died: Promise<never>) => AsyncGenerator<BridgeFrame>;

/** A plugin that does what its script says; `kill` and `cancel` end a script that awaits `died`. */
export class ScriptedPlugins {
  readonly jobs: PluginJob[] = [];
  readonly ended: string[] = [];

  constructor(private readonly script: Script, private readonly started = Promise.resolve()) {}

  run(job: PluginJob): PluginRun {
    this.jobs.push(job);
    const died = Promise.withResolvers<never>();
    died.promise.catch(() => {});
    const end = (how: string) => (cause: string) => {
      this.ended.push(how);
      died.reject(new PluginDied(cause));
    };
    return {
      frames: this.script(job, died.promise),
      started: this.started,
      kill: end("kill"),
      cancel: end("cancel"),
    };
  }
}

/** Keeps what it is given; `fails` says which step of which topic does not work. */
export class FakeSinks {
  readonly written: string[] = [];
  readonly events: string[] = [];
  readonly specs: OutputSpec[] = [];

  constructor(private readonly fails: (step: string, topic: string) => boolean = () => false) {}

  open(spec: OutputSpec): OutputWriter {
    this.specs.push(spec);
    const attempt = (step: string) => {
      this.events.push(`${step} ${spec.topic}`);
      if (this.fails(step, spec.topic)) throw new SinkError(`No space`, { retryable: true });
    };
    return {
      write: async () => await attempt("write"),
      finish: async () => {
        await attempt("finish");
        return stagedOutput(spec.topic);
      },
      abort: async () => await attempt("abort"),
    };
  }

  async discard(staged: readonly StagedOutput[]): Promise<void> {
    for (const { topic } of staged) await this.events.push(`discard ${topic}`);
  }
}

export function stagedOutput(topic: string): StagedOutput {
  return { topic, uri: `/out/${topic}`, staged: `/s/${topic}`, rows: 7, bytes: 9, generation: 4 };
}

export interface Setting {
  script: Script;
  sinks?: FakeSinks;
  body?: Partial<MessageBody<"dispatch">>;
  maps?: Record<string, string>;
  /** When the plugin has the job; at once if not given. */
  started?: Promise<void>;
  /** Called when the job's slot is free. */
  onRan?: () => void;
}

export class Stage {
  readonly sent: string[] = [];
  readonly sinks: FakeSinks;
  readonly plugins: ScriptedPlugins;
  readonly run: JobRun;
  ran = 0;

  constructor(readonly file: string, setting: Setting) {
    this.sinks = setting.sinks ?? new FakeSinks();
    this.plugins = new ScriptedPlugins(setting.script, setting.started);
    const clock = { nowMs: () => 1000 };
    const parts: JobParts = {
      plugins: this.plugins,
      sinks: this.sinks,
      folders: { output: "/out", maps: setting.maps ?? {} },
      logs: new LogCapture(clock, (_job, { lines }) => this.sent.push(...lines.map((l) => l[2]))),
      clock,
      largeFrames: new LargeFrames(),
      memoryBytes: 1 << 30,
      interpreterOf: (hash) => Promise.resolve(hash === "ready" ? "/env/bin/python" : undefined),
    };
    const body: MessageBody<"dispatch"> = {
      plugin_name: "p",
      file_path: file,
      sinks: [
        { topic: "a", uri: "parquet://output/a", mode: "replace" },
        { topic: "b", uri: "parquet://output/b", mode: "append" },
      ],
      file_version_id: 1,
      env_hash: "ready",
      source_code: "x = 1",
      generation: 4,
      ...setting.body,
    };
    this.run = new JobRun({ id: 5, attempt: 2, body }, parts, () => {
      this.ran++;
      setting.onRan?.();
    });
  }

  async conclude(): Promise<MessageBody<"conclude">> {
    return (await this.run.run()).body;
  }
}

export async function withStage(
  setting: Setting,
  use: (stage: Stage) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  const file = join(directory, "a.csv");
  await Deno.writeTextFile(file, "x\n1\n");
  try {
    await use(new Stage(file, setting));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
