/**
 * What each program may touch, as exact flags for `deno run`. [pure]
 *
 * Permissions are fixed when a program starts, so its command line and the roots in its store decide.
 * libzmq is called by FFI, which no other flag binds: its sockets need no `--allow-net`, and the
 * sentinel has none at all.
 */
import { dirname, join, resolve } from "node:path";
import { sqlitePath } from "../protocol/database_url.ts";
import { readProgramOptions } from "./program_options.ts";

export type Program =
  | ("start" | "sentinel" | "worker" | "run" | "doctor" | "install")
  | ("bundle" | "compile" | "compiled");

export const STATE_DIR = ".casparian";

/** Where a program is started, and what it needs of this installation. */
export interface Place {
  /** The folder of casparian.ts. */
  readonly project: string;
  /** Relative paths of the command line are meant from here. */
  readonly cwd: string;
  /** The Deno that runs us. */
  readonly deno: string;
  /** Files that may hold libzmq. */
  readonly addons: readonly string[];
  /** Of one start of a worker: scratch folders, and the sockets that its plugins connect to, see {@link templateFolder}. */
  readonly runDir: string;
  /** Where what a program makes goes, without `--to`. */
  readonly to: string;
  /** Source roots that the store has beside those of the command line. */
  readonly storedRoots: readonly string[];
}

/** "all" where nobody can know beforehand what will be needed. */
type Scope = readonly string[] | "all";

interface Grants {
  /** "all": a worker follows interpreters and data roots wherever they lie. */
  readonly read: Scope;
  readonly write: Scope;
  readonly run?: Scope;
  readonly net?: Scope;
  readonly sys?: readonly string[];
  readonly ffi?: Scope;
  readonly env: readonly string[];
}

const GRANTS: Record<Program, (paths: ProgramPaths, place: Place) => Grants> = {
  start: (paths, place) => ({
    read: [place.project, paths.state, paths.output, ...paths.roots, ...paths.plugins.map(dirname)],
    write: [paths.state],
    run: [place.deno],
    ffi: place.addons,
    env: ENVIRONMENT,
  }),
  sentinel: (paths, place) => ({
    read: [
      ...[place.project, paths.state, ...paths.database, ...paths.socketDirs],
      ...[...paths.roots, ...place.storedRoots],
    ],
    write: [paths.state, ...paths.database, ...paths.socketDirs],
    sys: ["statfs"], // tells shares from disks
    ffi: place.addons,
    env: ENVIRONMENT,
  }),
  worker: (paths, place) => ({ ...pythonGrants(paths, place), ffi: place.addons }),
  run: pythonGrants,
  doctor: (paths, place) => ({ ...pythonGrants(paths, place), net: paths.ports }),
  bundle: (paths, place) => ({
    read: [place.project, place.deno, paths.to],
    write: [paths.to],
    run: [launcher(place)],
    env: [...ENVIRONMENT, ...PYTHON_ENVIRONMENT],
  }),
  compile: (paths, place) => ({
    read: [place.project, paths.to],
    write: [paths.to],
    run: [place.deno],
    env: ENVIRONMENT,
  }),
  compiled: (paths, place) => {
    const { write, net, ...grants } = pythonGrants(paths, place);
    // Its own files are where it unpacks itself, and that is known to nobody before.
    const unknown = { ...grants, read: "all", run: "all", ffi: "all" } as const;
    return place.runDir === ""
      ? { ...unknown, write: "all", net: "all" }
      : { ...unknown, write, net };
  },
  install: (paths, place) => ({
    read: [place.project, paths.to],
    write: [paths.to],
    env: [...ENVIRONMENT, "PATH", "HOME"],
  }),
};

/** By name, never all of the environment: it may hold other programs' secrets. */
const ENVIRONMENT = [
  ...["INIT_CWD", "CASPARIAN_DEBUG", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"],
  "LOG", // the parser of manifests looks whether it is to be debugged
];
/** What finds Python and uv, and what they need to fetch packages where a site has its own index. */
const PYTHON_ENVIRONMENT = [
  ...["CASPARIAN_PYTHON", "CASPARIAN_UV"],
  ...["PATH", "HOME", "USER", "LANG", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"],
  ...["XDG_DATA_HOME", "XDG_BIN_HOME", "PIP_*", "UV_*", "SSL_CERT_FILE", "SSL_CERT_DIR"],
  ...["REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"],
  ...["http_proxy", "https_proxy", "all_proxy", "no_proxy"],
];

const launcher = ({ project }: Place) => join(project, "worker", "launch.sh");

function pythonGrants(paths: ProgramPaths, place: Place) {
  return {
    read: "all" as const,
    write: [paths.state, paths.output, ...paths.maps, place.runDir],
    run: [launcher(place)],
    net: Array.from(
      { length: TEMPLATES_MAX },
      (_, number) => `unix:${bridgeSocket(templateFolder(place.runDir, number))}`,
    ),
    sys: ["hostname", "statfs"],
    env: [...ENVIRONMENT, ...PYTHON_ENVIRONMENT],
  };
}

/** Deno grants a Unix socket by its exact path only, so a worker's templates have numbered folders. */
export const TEMPLATES_MAX = 64;

/** Where a worker's template has its folders: of the numbers below TEMPLATES_MAX one that is free. */
export function templateFolder(runDir: string, number: number): string {
  return join(runDir, `t${number}`);
}

/** Where the children of that template connect to. */
export function bridgeSocket(templateFolder: string): string {
  return join(templateFolder, "s", "b.sock");
}

/** What SQLite keeps beside a database. */
const DATABASE_SUFFIXES = ["", "-wal", "-shm", "-journal"];

interface ProgramPaths {
  readonly state: string;
  readonly output: string;
  /** Of `--map NAME=DIR`. */
  readonly maps: readonly string[];
  readonly database: readonly string[];
  /** Where the Unix socket is that a sentinel listens on. */
  readonly socketDirs: readonly string[];
  /** The TCP address that doctor tries to listen on. */
  readonly ports: readonly string[];
  readonly roots: readonly string[];
  readonly plugins: readonly string[];
  readonly to: string;
}

function programPaths(args: readonly string[], place: Place): ProgramPaths {
  const options = readProgramOptions(args);
  const state = resolve(place.cwd, options.one("state") ?? STATE_DIR);
  const database = databaseFile(options.one("database"));
  return {
    state,
    output: resolve(place.cwd, options.one("output") ?? join(state, "output")),
    maps: options.all("map").map((map) => resolve(place.cwd, rootDirectory(map))),
    database: database === undefined
      ? []
      : DATABASE_SUFFIXES.map((suffix) => resolve(place.cwd, database) + suffix),
    socketDirs: socketDirs(options.one("listen")),
    ports: ports(options.one("listen")),
    roots: options.all("root").map((root) => resolve(place.cwd, rootDirectory(root))),
    plugins: options.all("plugin").map((file) => resolve(place.cwd, file)),
    to: resolve(place.cwd, options.one("to") ?? place.to),
  };
}

/** Nothing for a wrong URL: the program itself says what is wrong with it. */
function databaseFile(url: string | undefined): string | undefined {
  try {
    return url === undefined ? undefined : sqlitePath(url);
  } catch {
    return undefined;
  }
}

function socketDirs(address: string | undefined): string[] {
  const path = /^ipc:\/\/(\/.+)$/s.exec(address ?? "")?.[1];
  return path === undefined ? [] : [dirname(path)];
}

function ports(address: string | undefined): string[] {
  const port = /^tcp:\/\/([^,]+:\d+)$/.exec(address ?? "")?.[1];
  return port === undefined ? [] : [port];
}

/** The directory in `NAME=DIR` or `DIR`; a name holds no separator. */
export function rootDirectory(root: string): string {
  return /^[^/\\=]+=(.+)$/s.exec(root)?.[1] ?? root;
}

/**
 * The flags of `deno run` for a program and its command line.
 * @param args As the program gets them; options are read as `--name value` or `--name=value`.
 */
export function permissionFlags(program: Program, args: readonly string[], place: Place): string[] {
  const grants = GRANTS[program](programPaths(args, place), place);
  return [
    "--no-prompt",
    ...flag("read", grantablePaths(grants.read)),
    ...flag("write", grantablePaths(grants.write)),
    ...flag("run", grants.run),
    ...flag("net", grants.net),
    ...flag("sys", grants.sys),
    ...flag("ffi", grantablePaths(grants.ffi)),
    ...flag("env", grants.env),
  ];
}

/** Nothing for an empty scope: the flag without a list would grant everything. */
function flag(name: string, scope: Scope = []): string[] {
  if (scope === "all") return [`--allow-${name}`];
  return scope.length === 0 ? [] : [`--allow-${name}=${scope.join(",")}`];
}

/** Flags split at commas and know no escape, so a path with one is granted by the folder above it. */
function grantablePaths(paths: Scope = []): Scope {
  if (paths === "all") return paths;
  const grantable = paths.map((path) => {
    while (path.includes(",")) path = dirname(path);
    return path;
  });
  return [...new Set(grantable)];
}
