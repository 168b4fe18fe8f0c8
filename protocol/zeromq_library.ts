/**
 * libzmq by Deno FFI: where it lies, which of its functions we call, and what its errors mean.
 *
 * The npm package `zeromq` ships prebuilt Node addons that export all of libzmq. Its JavaScript side
 * does not work under Deno, so only the addon is used, and nothing but the files `zeromq*.ts` may touch it.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Builds of one platform, best first: not every one loads on every libc, and some lack CURVE. */
const ADDON_BUILDS: Readonly<Record<string, readonly string[]>> = {
  linux: ["glibc-127-Release", "musl-127-Release", "glibc-147-Release", "glibc-115-Release"],
  darwin: ["libc-115-Release"],
};

const SYMBOLS = {
  zmq_ctx_new: { parameters: [], result: "pointer" },
  // Blocks until every socket is closed and has lingered, so it must not run on the main thread.
  zmq_ctx_term: { parameters: ["pointer"], result: "i32", nonblocking: true },
  zmq_socket: { parameters: ["pointer", "i32"], result: "pointer" },
  zmq_close: { parameters: ["pointer"], result: "i32" },
  zmq_bind: { parameters: ["pointer", "buffer"], result: "i32" },
  zmq_connect: { parameters: ["pointer", "buffer"], result: "i32" },
  zmq_getsockopt: { parameters: ["pointer", "i32", "buffer", "buffer"], result: "i32" },
  zmq_setsockopt: { parameters: ["pointer", "i32", "buffer", "usize"], result: "i32" },
  zmq_send: { parameters: ["pointer", "buffer", "usize", "i32"], result: "i32" },
  zmq_recv: { parameters: ["pointer", "buffer", "usize", "i32"], result: "i32" },
  zmq_msg_init: { parameters: ["buffer"], result: "i32" },
  zmq_msg_recv: { parameters: ["buffer", "pointer", "i32"], result: "i32" },
  zmq_msg_data: { parameters: ["buffer"], result: "pointer" },
  zmq_msg_more: { parameters: ["buffer"], result: "i32" },
  zmq_msg_gets: { parameters: ["buffer", "buffer"], result: "pointer" },
  zmq_msg_close: { parameters: ["buffer"], result: "i32" },
  // Only ever given raw descriptors: it waits in another thread, where no socket may be touched.
  zmq_poll: { parameters: ["buffer", "i32", "i64"], result: "i32", nonblocking: true },
  zmq_curve_keypair: { parameters: ["buffer", "buffer"], result: "i32" },
  zmq_z85_encode: { parameters: ["buffer", "buffer", "usize"], result: "pointer" },
  zmq_has: { parameters: ["buffer"], result: "i32" },
  zmq_errno: { parameters: [], result: "i32" },
  zmq_strerror: { parameters: ["i32"], result: "pointer" },
  // Of libc, which the addon brings along. Deno's own views of pointers would need `--allow-ffi` without
  // a scope; these need no more than the addon's path.
  memcpy: { parameters: ["buffer", "pointer", "usize"], result: "void" },
  strncpy: { parameters: ["buffer", "pointer", "usize"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

export type Libzmq = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const darwin = Deno.build.os === "darwin";

/** The errors that are part of normal work; all others are thrown with libzmq's own text. */
export const ERRNO = {
  interrupted: 4, // EINTR
  wouldBlock: darwin ? 35 : 11, // EAGAIN
  unroutable: darwin ? 65 : 113, // EHOSTUNREACH
} as const;

/** A libzmq call that failed; `errno` is libzmq's, `action` what was tried, such as `bind ipc:///run/x`. */
export class ZmqError extends Error {
  override name = "ZmqError";
  constructor(readonly action: string, readonly errno: number, reason: string) {
    super(`Cannot ${action}: ${reason}`);
  }
}

/**
 * Files that may hold libzmq for this platform, best first, as real paths: the scope for `--allow-ffi`.
 * Opens none of them. Needs read access to the package's folder, as its links are followed.
 * @throws {Error} If the npm package is not installed or has no build for this platform.
 */
export function zeromqAddonCandidates(): string[] {
  const { os, arch } = Deno.build;
  const builds = join(dirname(fileURLToPath(import.meta.resolve("zeromq/package.json"))), "build");
  const platform = join(builds, os, arch === "aarch64" ? "arm64" : "x64", "node");
  const found = (ADDON_BUILDS[os] ?? []).flatMap((build) =>
    realPathOrNone(join(platform, build, "addon.node"))
  );
  if (found.length > 0) return found;
  throw new Error(`Cannot find libzmq as ${platform} holds none of its builds: run "deno install"`);
}

/**
 * Path of the first candidate that loads here and has CURVE.
 * @throws {Error} If none does, with the reason for each candidate.
 */
export function locateZeromqAddon(): string {
  return openAddon().path;
}

/** The loaded library. It stays loaded until the process ends, as libzmq has threads of its own. */
export function libzmq(): Libzmq {
  return (loaded ??= openAddon()).library.symbols;
}

let loaded: ReturnType<typeof openAddon> | undefined;

function openAddon(): { path: string; library: Deno.DynamicLibrary<typeof SYMBOLS> } {
  const refusals: string[] = [];
  for (const path of zeromqAddonCandidates()) {
    try {
      const library = Deno.dlopen(path, SYMBOLS);
      if (library.symbols.zmq_has(cString("curve")) === 1) return { path, library };
      library.close();
      refusals.push(`${path}: it lacks CURVE`);
    } catch (error) { // another libc, or outside --allow-ffi: the next candidate may do
      refusals.push(`${path}: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw new Error(`Cannot load libzmq as no build fits this machine:\n${refusals.join("\n")}`);
}

function realPathOrNone(path: string): string[] {
  try {
    return [Deno.realPathSync(path)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

const C_STRING_BYTES_MAX = 256;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The text as a C string: UTF-8 with a NUL at its end. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text + "\0");
}

/** The error of the call just made: `errno` is lost with the next one. */
export function zmqError(action: string, errno = libzmq().zmq_errno()): ZmqError {
  return new ZmqError(action, errno, textAt(libzmq().zmq_strerror(errno)));
}

/** A C string of libzmq: an error's text or a user id, both below 256 bytes; "" for none. */
export function textAt(pointer: Deno.PointerValue): string {
  if (pointer === null) return "";
  const text = new Uint8Array(C_STRING_BYTES_MAX); // strncpy fills what is left with NUL
  libzmq().strncpy(text, pointer, BigInt(text.length));
  return textBeforeNul(text);
}

export function textBeforeNul(text: Uint8Array): string {
  const end = text.indexOf(0);
  return decoder.decode(end < 0 ? text : text.subarray(0, end));
}

/**
 * A new key pair for CURVE, each key as 40 characters of Z85.
 * @throws {ZmqError} If libzmq cannot make one.
 */
export function curveKeypair(): { publicKey: string; secretKey: string } {
  const [publicKey, secretKey] = [new Uint8Array(41), new Uint8Array(41)];
  if (libzmq().zmq_curve_keypair(publicKey, secretKey) !== 0) throw zmqError("make a CURVE key");
  return { publicKey: textBeforeNul(publicKey), secretKey: textBeforeNul(secretKey) };
}

/** A key of 32 bytes, as a ZAP request carries it, in the 40 characters that people and files use. */
export function z85Key(key: Uint8Array): string {
  if (key.length !== 32) {
    throw new RangeError(`Cannot encode a key as it must be 32 bytes: got ${key.length}`);
  }
  const text = new Uint8Array(41);
  libzmq().zmq_z85_encode(text, key as Uint8Array<ArrayBuffer>, BigInt(key.length));
  return textBeforeNul(text);
}
