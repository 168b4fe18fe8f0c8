/** Where a file stands, and what its place allows: the table of ARCHITECTURE.md, for the lint rules. */

export interface Room {
  /** Other rooms that it may import. */
  rooms: readonly string[];
  /** Packages, by their beginning. `node:` means all of them. */
  packages: readonly string[];
}

/** Every room may import itself. A file at the root, and anything in `tests`, is not in this table. */
export const ROOMS: Readonly<Record<string, Room>> = {
  protocol: { rooms: [], packages: ["zod"] },
  security: {
    rooms: ["protocol"],
    packages: [
      ...["zod", "@lezer/", "jose", "openid-client"],
      ...["node:crypto", "node:path", "node:url"],
    ],
  },
  sentinel: {
    rooms: ["protocol", "security"],
    packages: ["zod", "commander", "picomatch", "postgres", "node:"],
  },
  worker: {
    rooms: ["protocol", "security"],
    packages: ["zod", "commander", "apache-arrow", "parquet-wasm", "modern-tar", "node:"],
  },
  deck: {
    rooms: ["protocol", "security"],
    packages: ["zod", "commander", "hono", "preact", "@preact/", "@duckdb/node-api", "node:"],
  },
  demo: { rooms: [], packages: ["node:"] },
};

/** What a room's own tests may import besides. */
export const TEST_ROOMS: readonly string[] = ["protocol", "security", "tests"];

/** The only files of a room that the front door opens, and only when the command asks for it. */
export const DOORS: readonly string[] = ["sentinel/main.ts", "worker/main.ts", "deck/main.ts"];

const PURE: readonly RegExp[] = [
  /^protocol\/(?!zeromq)/,
  /^sentinel\/core\//,
  /^sentinel\/routing\.ts$/,
  /^worker\/(session|environment_error)\.ts$/,
  /^security\/(manifest_\w+|gatekeeper|pep723|toml_reader|handler_style|nearest_name|python_\w+)\.ts$/,
];

/** libzmq by FFI is the one thing in `protocol` that is not words. */
const FOREIGN = /^protocol\/zeromq/;
const TEST = /(^|\/)(tests\/|testing\.tsx?$|test_tools\.ts$|\w+_test\.tsx?$)/;
const SQL_HOMES = /^(sentinel\/store|worker\/sinks)\/|^deck\/query\.ts$/;
/**
 * Programs, those of threads included: they build the real clock and hand it in. The Parquet sink
 * asks for the time itself, when it sweeps.
 */
const MAINS = /^casparian\.ts$|(^|\/)(\w+_)?main\.ts$|^worker\/sinks\/parquet\.ts$/;

export interface Place {
  /** Relative to the project. */
  path: string;
  /** The top-level folder, "" at the root. */
  room: string;
  isTest: boolean;
  isForeign: boolean;
  isMain: boolean;
  mayHoldSql: boolean;
}

const PROJECT = new URL("../../", import.meta.url).pathname;

/** @param filename Absolute, or relative to the project. */
export function placeOf(filename: string): Place {
  const path = filename.startsWith(PROJECT) ? filename.slice(PROJECT.length) : filename;
  return {
    path,
    room: path.includes("/") ? path.slice(0, path.indexOf("/")) : "",
    isTest: TEST.test(path),
    isForeign: FOREIGN.test(path),
    isMain: MAINS.test(path),
    mayHoldSql: SQL_HOMES.test(path),
  };
}

/** A file is pure by its place, or because its opening comment says so: [pure]. */
export function isPure(place: Place, source: string): boolean {
  if (place.isTest) return false;
  const opening = /^\s*\/\*\*[^]*?\*\//.exec(source)?.[0] ?? "";
  return PURE.some((pure) => pure.test(place.path)) || opening.includes("[pure]");
}

/** The path of what a relative specifier names, relative to the project; null for a package. */
export function targetOf(place: Place, specifier: string): string | null {
  if (!specifier.startsWith(".")) return null;
  return new URL(specifier, `file:///${place.path}`).pathname.slice(1);
}
