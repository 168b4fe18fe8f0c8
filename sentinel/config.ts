/** What `casparian sentinel` was asked to do: options checked, paths made absolute. */
import { join, resolve } from "node:path";
import { checkAddress } from "../protocol/address.ts";
import { sqlitePath } from "../protocol/database_url.ts";
import { UsageError } from "../protocol/exit_codes.ts";

export interface SentinelOptions {
  state: string;
  listen?: string;
  database?: string;
  root?: string[];
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
  roots: { name?: string; directory: string }[];
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
    roots: (options.root ?? []).map((root) => namedRoot(root, cwd)),
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

function namedRoot(text: string, cwd: string): { name?: string; directory: string } {
  const [, name, path] = /^(?:([^/\\=]+)=)?(.+)$/s.exec(text) ?? [];
  if (path === undefined) throw new UsageError("Cannot watch a root without a folder: got ''");
  return { ...(name === undefined ? {} : { name }), directory: resolve(cwd, path) };
}
