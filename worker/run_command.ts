/** `casparian run PLUGIN FILE…`: the author's loop. No server, nothing landed, nothing left behind. */
import { dirname, join, resolve } from "node:path";
import * as z from "zod";
import { CliError, EXIT, UsageError } from "../protocol/exit_codes.ts";
import { ManifestError, type PluginManifest, readManifest } from "../security/manifest_reader.ts";
import { type PluginFile, readPluginFile } from "../security/plugin_file.ts";
import { prepareFor } from "./author_environment.ts";
import { STATE_DIR } from "./config.ts";
import { EnvironmentError } from "./environment_error.ts";
import { asJobFailure } from "./failures.ts";
import { Environments, type PreparedEnvironment } from "./environments.ts";
import { hostMemoryBytes, memoryShareBytes } from "./host_memory.ts";
import type { PluginJob } from "./plugin_run.ts";
import { Preview } from "./preview.ts";
import { RunFolder } from "./run_folder.ts";
import { errorLines, type FileReport, reportJson, reportLines } from "./run_report.ts";
import { probeSandbox } from "./sandbox.ts";
import { checkFile, hashText } from "./source_file.ts";
import { sandboxedLaunch } from "./template_launch.ts";
import { Templates } from "./templates.ts";
import { tryPlugin } from "./trial.ts";
import type { Surroundings } from "./worker_command.ts";

/** What a plugin gets that names no dependencies: the same as when it is published. */
const DEFAULT_REQUIREMENTS = ["pandas", "pyarrow"];
const ROWS_MAX = 10_000;
const LOG_LEVELS = ["", "", "debug: ", "info: ", "warning: ", "error: "];

const rule = (what: string) => ({ error: what });
const Options = z.object({
  rows: z.coerce.number(rule("--rows must be a number")).int().min(0)
    .max(ROWS_MAX, rule(`--rows must be at most ${ROWS_MAX}`)).default(10),
  timeout: z.coerce.number(rule("--timeout must be a number of seconds")).positive().optional(),
  state: z.string().min(1).default(STATE_DIR),
  upgrade: z.boolean().default(false),
  runDir: z.string().optional(),
  json: z.boolean().default(false),
});
type Options = z.infer<typeof Options>;

interface Plugin extends PluginManifest {
  readonly file: PluginFile;
}

/**
 * @param given As commander gives them.
 * @returns The exit code: 0, or 3 if some of the files failed, or 130 if it was interrupted.
 * @throws {CliError} If the plugin or its environment can't be used.
 */
export async function runPlugin(
  pluginPath: string,
  files: readonly string[],
  given: unknown,
  around: Surroundings,
): Promise<number> {
  const { io } = around;
  const parsed = Options.safeParse(given);
  if (!parsed.success) throw new UsageError(parsed.error.issues.map((i) => i.message).join("\n"));
  const plugin = await readPlugin(resolve(io.cwd, pluginPath));
  const interrupted = new AbortController();
  const off = io.onInterrupt(() =>
    interrupted.abort(new CliError("Interrupted", EXIT.interrupted))
  );
  try {
    return await runFiles(plugin, files, parsed.data, around, interrupted.signal);
  } catch (error) {
    if (interrupted.signal.aborted) return EXIT.interrupted;
    if (error instanceof EnvironmentError) {
      throw new CliError(error.message, undefined, { cause: error });
    }
    throw error;
  } finally {
    off();
  }
}

async function readPlugin(path: string): Promise<Plugin> {
  const file = await readPluginFile(path);
  try {
    return { ...readManifest(file.source_code, file.file_name), file };
  } catch (cause) {
    if (!(cause instanceof ManifestError)) throw cause;
    throw new CliError(`Cannot run ${path}: ${cause.message}`, undefined, { cause });
  }
}

async function runFiles(
  plugin: Plugin,
  files: readonly string[],
  options: Options,
  around: Surroundings,
  signal: AbortSignal,
): Promise<number> {
  const { io, logger, startId } = around;
  const stateDir = resolve(io.cwd, options.state);
  const environment = await prepare(plugin, stateDir, options, around, signal);
  const sandbox = await probeSandbox();
  const runDir = options.runDir ?? join(stateDir, "run", startId);
  const folder = await RunFolder.open(runDir, logger);
  const plugins = new Templates({
    launch: sandboxedLaunch(sandbox, stateDir, () => environment.folders),
    folder: runDir,
  });
  const dataRoots = await foldersOf(files.map((file) => resolve(io.cwd, file)));
  const memoryBytes = plugin.manifest.memory_mb === undefined
    ? memoryShareBytes(await hostMemoryBytes(), 1)
    : plugin.manifest.memory_mb * 1024 ** 2;
  const jobFor = (file: string) => ({
    ...jobOf(plugin, resolve(io.cwd, file), environment, dataRoots),
    memoryBytes,
  });
  let failed = 0;
  try {
    await warmUp(plugins, jobFor(files[0]!), signal);
    for (const file of files) {
      const job = jobFor(file);
      const report = await runFile(plugin, file, job, plugins, options, around, signal);
      if (signal.aborted) return EXIT.interrupted;
      if (report.error) failed++;
      print(report, options, around);
    }
  } finally {
    await plugins.stop();
    await folder.close();
  }
  return failed > 0 ? EXIT.someFailed : EXIT.ok;
}

async function prepare(
  { requirements, requiresPython, manifest, file }: Plugin,
  stateDir: string,
  { upgrade }: Options,
  { clock, environment, io }: Surroundings,
  signal: AbortSignal,
): Promise<PreparedEnvironment> {
  const environments = new Environments({ stateDir, environment, nowMs: () => clock.nowMs() });
  const needs = {
    lockfile: file.lockfile_content,
    requirements: requirements ?? file.requirements ?? DEFAULT_REQUIREMENTS,
    python: manifest.python ?? requiresPython ?? file.python,
  };
  const onLine = (line: string) => io.stderr(line);
  return await prepareFor(needs, environments, stateDir, upgrade, onLine, signal);
}

/** Those that are there: what is wrong with the others is told file by file. */
async function foldersOf(paths: readonly string[]): Promise<string[]> {
  const folders = [...new Set(paths.map(dirname))];
  const found = await Promise.all(
    folders.map((folder) => Deno.stat(folder).then(() => [folder], () => [])),
  );
  return found.flat();
}

const NOTHING_TO_DO = "class Handler:\n    def execute(self, file_path):\n        return None\n";

/** Python is started before the clock is: an author wants to know how fast the plugin is. */
async function warmUp(plugins: Templates, job: PluginJob, signal: AbortSignal): Promise<void> {
  const nothing = { ...job, artifactHash: "warm-up", pluginCode: NOTHING_TO_DO };
  const preview = new Preview("", undefined, 0);
  await tryPlugin({ plugins, job: nothing, preview, log: { add() {} }, signal });
}

function topicsOf({ manifest }: Plugin): string[] {
  return [...new Set([manifest.topic, ...Object.keys(manifest.topics ?? {})])];
}

function jobOf(
  plugin: Plugin,
  filePath: string,
  environment: PreparedEnvironment,
  dataRoots: readonly string[],
): PluginJob {
  const { manifest, file: { source_code: source } } = plugin;
  return {
    jobId: 0,
    attempt: 0,
    interpreterPath: environment.interpreterPath,
    artifactHash: hashText(source),
    pluginName: manifest.name,
    pluginCode: source,
    filePath,
    fileVersionId: 0,
    topics: topicsOf(plugin),
    config: manifest.config,
    isolation: manifest.isolation,
    dataRoots,
  };
}

async function runFile(
  plugin: Plugin,
  file: string,
  job: PluginJob,
  plugins: Templates,
  { rows, timeout }: Options,
  { clock, io }: Surroundings,
  signal: AbortSignal,
): Promise<FileReport> {
  const { manifest } = plugin;
  const preview = new Preview(manifest.topic, topicsOf(plugin), rows);
  const timeoutS = timeout ?? manifest.timeout_s;
  const timeoutMs = timeoutS === undefined ? undefined : timeoutS * 1000;
  const log = {
    add: (level: number, text: string) => io.stderr(`${LOG_LEVELS[level] ?? ""}${text}`),
  };
  const startedMs = clock.nowMs();
  const trial = { plugins, job, preview, log, timeoutMs, signal };
  const { counts, failure } = await checkFile(job.filePath, {}).then(
    () => tryPlugin(trial),
    (error) => ({ counts: { rssKib: 0 }, failure: asJobFailure(error) }),
  );
  const topics = [...preview.topics.values()];
  return {
    file,
    topics,
    rows: topics.reduce((sum, topic) => sum + topic.row_count, 0),
    seconds: (clock.nowMs() - startedMs) / 1000,
    peakKib: counts.rssKib,
    error: failure ? { kind: failure.kind, message: failure.message } : null,
  };
}

function print(report: FileReport, { json }: Options, { io }: Surroundings): void {
  if (json) return io.stdout(reportJson(report));
  for (const line of reportLines(report, io.columns)) io.stdout(line);
  for (const line of errorLines(report)) io.stderr(line);
}
