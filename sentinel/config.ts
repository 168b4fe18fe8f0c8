/** What `casparian sentinel` was asked to do: options checked, paths made absolute. */
import { join, resolve } from "node:path";
import * as z from "zod";
import { checkAddress } from "../protocol/address.ts";
import { sqlitePath } from "../protocol/database_url.ts";
import { UsageError } from "../protocol/exit_codes.ts";
import { RootRules } from "../protocol/records.ts";

export interface SentinelOptions {
  state: string;
  listen?: string;
  database?: string;
  root?: string[];
  rootRules?: string;
  output?: string;
  insecureTcp?: boolean;
  yesReally?: boolean;
  exitWithStdin?: boolean;
}

export interface SentinelConfig {
  stateDir: string;
  address: string;
  eventsAddress: string;
  databasePath: string;
  /** With the rules that are given for their folders. */
  roots: ({ name?: string; directory: string } & RootRules)[];
  excludedFolders: string[];
  /** About plain TCP, to be shown. */
  warning: string | null;
  exitWithStdin: boolean;
}

/** A Unix socket's path has about 108 bytes; what does not fit goes to a folder of its own. */
const SOCKET_PATH_BYTES_MAX = 90;

/**
 * @param socketDir Makes a private folder for sockets, where the state folder's own name is too long.
 * @throws {UsageError} If an option is wrong.
 */
export function sentinelConfig(
  options: SentinelOptions,
  cwd: string,
  socketDir: () => string,
): SentinelConfig {
  const stateDir = resolve(cwd, options.state);
  const address = options.listen ?? `ipc://${socketPath(stateDir, socketDir)}`;
  const warning = checkAddress(address, options);
  return {
    stateDir,
    address,
    eventsAddress: eventsAddress(address),
    databasePath: options.database === undefined
      ? join(stateDir, "casparian.sqlite3")
      : resolve(cwd, sqlitePath(options.database)),
    roots: rootsOf(options, cwd),
    excludedFolders: [stateDir, ...(options.output ? [resolve(cwd, options.output)] : [])],
    warning,
    exitWithStdin: options.exitWithStdin ?? false,
  };
}

function socketPath(stateDir: string, socketDir: () => string): string {
  const own = join(stateDir, "run", "control.sock");
  const fits = new TextEncoder().encode(`${own}.events`).length <= SOCKET_PATH_BYTES_MAX;
  return fits ? own : join(socketDir(), "control.sock");
}

/** Events go out beside the control address: a socket of its own, or any free port of the same host. */
function eventsAddress(address: string): string {
  return address.startsWith("ipc://") ? `${address}.events` : address.replace(/:[^:]*$/, ":*");
}

const RulesByFolder = z.record(z.string(), RootRules);

function rootsOf(
  { root, rootRules = "{}" }: SentinelOptions,
  cwd: string,
): SentinelConfig["roots"] {
  const rules = rulesByFolder(rootRules, cwd);
  const roots = (root ?? []).map((text) => namedRoot(text, cwd));
  const strange = [...rules.keys()].find((path) =>
    roots.every(({ directory }) => directory !== path)
  );
  if (strange !== undefined) {
    throw new UsageError(`Cannot use --root-rules as each folder must be a --root: got ${strange}`);
  }
  return roots.map((each) => ({ ...each, ...rules.get(each.directory) }));
}

function rulesByFolder(json: string, cwd: string): Map<string, RootRules> {
  try {
    const rules = Object.entries(RulesByFolder.parse(JSON.parse(json)));
    return new Map(rules.map(([folder, each]) => [resolve(cwd, folder), each]));
  } catch (cause) {
    const issue = cause instanceof z.ZodError ? cause.issues[0] : undefined;
    const reason = issue ? `${issue.path.join(".")}: ${issue.message}` : (cause as Error).message;
    const rule = 'it must be JSON such as {"/mnt/in": {"marker": "*.done"}}';
    throw new UsageError(`Cannot use --root-rules as ${rule}: ${reason}`);
  }
}

function namedRoot(text: string, cwd: string): { name?: string; directory: string } {
  const [, name, path] = /^(?:([^/\\=]+)=)?(.+)$/s.exec(text) ?? [];
  if (path === undefined) throw new UsageError("Cannot watch a root without a folder: got ''");
  return { ...(name === undefined ? {} : { name }), directory: resolve(cwd, path) };
}
