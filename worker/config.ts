/** What a worker is told on its command line, checked as a whole: one error lists all that is wrong. */
import { join, resolve } from "node:path";
import * as z from "zod";
import { checkAddress } from "../protocol/address.ts";
import { CliError, UsageError } from "../protocol/exit_codes.ts";
import type { SinkFolders } from "./sink_folders.ts";

export const STATE_DIR = ".casparian";
const SLOTS_MAX = 1024;
const DRAIN_S_MAX = 24 * 60 * 60;

export const GRADES = ["A", "B", "C"] as const;
export type Grade = typeof GRADES[number];

export interface WorkerConfig {
  readonly address: string;
  /** To be shown: the address is not as safe as it could be. */
  readonly warning: string | null;
  readonly stateDir: string;
  readonly folders: SinkFolders;
  readonly slots: number;
  readonly sandboxMin: Grade;
  readonly drainLimitMs: number;
  /** Sockets and scratch folders of this start. */
  readonly runDir: string;
  readonly exitWithStdin: boolean;
}

/** What the command line's options are made into; `cwd` and the rest come from the process. */
export interface ConfigContext {
  /** Relative paths are meant from here. */
  readonly cwd: string;
  readonly cores: number;
  /** Names the folder for sockets, where none is given. */
  readonly startId: string;
  readText(path: string): string;
}

const rule = (what: string) => ({ error: `must be ${what}` });
const number = (what: string, min: number, max: number) =>
  z.coerce.number(rule(what)).min(min, rule(what)).max(max, rule(what));

const Options = z.object({
  connect: z.string().optional(),
  state: z.string().min(1).default(STATE_DIR),
  output: z.string().min(1).optional(),
  slots: number(`a whole number from 1 to ${SLOTS_MAX}`, 1, SLOTS_MAX)
    .int(rule(`a whole number from 1 to ${SLOTS_MAX}`)).optional(),
  map: z.array(
    z.string().regex(/^[^/\\=]+=.+$/s, rule("NAME=DIR")),
  ).default([]),
  sandbox: z.enum(GRADES, rule("A, B or C")).default("C"),
  drainTimeout: number(`a number of seconds from 0 to ${DRAIN_S_MAX}`, 0, DRAIN_S_MAX).default(30),
  insecureTcp: z.boolean().optional(),
  yesReally: z.boolean().optional(),
  runDir: z.string().min(1).optional(),
  exitWithStdin: z.boolean().default(false),
});

/**
 * @throws {UsageError} If an option is wrong; names each of them.
 * @throws {CliError} If no address is given and no sentinel has left its own in the state folder.
 */
export function readWorkerConfig(options: unknown, context: ConfigContext): WorkerConfig {
  const parsed = Options.safeParse(options);
  if (!parsed.success) throw new UsageError(problems(parsed.error, options));
  const { state, output, map, ...given } = parsed.data;
  const stateDir = resolve(context.cwd, state);
  const address = given.connect ?? addressOfState(stateDir, context);
  return {
    address,
    warning: checkAddress(address, given),
    stateDir,
    folders: {
      output: output ? resolve(context.cwd, output) : join(stateDir, "output"),
      maps: Object.fromEntries(map.map((entry) => mapping(entry, context.cwd))),
    },
    slots: given.slots ?? Math.max(1, context.cores),
    sandboxMin: given.sandbox,
    drainLimitMs: given.drainTimeout * 1000,
    exitWithStdin: given.exitWithStdin,
    runDir: given.runDir ?? join(stateDir, "run", context.startId),
  };
}

function mapping(entry: string, cwd: string): [name: string, directory: string] {
  const at = entry.indexOf("=");
  return [entry.slice(0, at), resolve(cwd, entry.slice(at + 1))];
}

const SentinelFile = z.object({ address: z.string().min(1) });

function addressOfState(stateDir: string, context: ConfigContext): string {
  const path = join(stateDir, "sentinel.json");
  let text: string;
  try {
    text = context.readText(path);
  } catch (cause) {
    throw new CliError(
      `Cannot find a sentinel as there is no ${path}: start one with "casparian sentinel --state ` +
        `${stateDir}", or name one with --connect`,
      undefined,
      { cause },
    );
  }
  try {
    return SentinelFile.parse(JSON.parse(text)).address;
  } catch (cause) {
    throw new CliError(
      `Cannot read the sentinel's address as ${path} must hold {"address": …}: restart the ` +
        `sentinel, or name it with --connect`,
      undefined,
      { cause },
    );
  }
}

function problems(error: z.ZodError, options: unknown): string {
  return error.issues.map(({ path, message }) => {
    const [name, index] = path;
    const flag = `--${String(name).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const given = (options as Record<string, unknown>)[String(name)];
    const value = Array.isArray(given) ? given[Number(index)] : given;
    return `Cannot use ${flag} as it ${message}: got '${value}'`;
  }).join("\n");
}
