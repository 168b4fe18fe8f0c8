/**
 * The long proof of the ZeroMQ binding, about a minute and ten minutes of idling; `--help` tells the options.
 * Prints one row for each part and exits with 1 if any failed. Needs all permissions, as it counts its
 * open descriptors in /proc.
 */
import { Command, InvalidArgumentError } from "commander";
import * as parts from "./zeromq_parts.ts";

const MIB = 1024 * 1024;
const IDLE_SHARE_MAX = 0.005;

interface Size {
  /** Multiplies every count. */
  readonly scale: number;
  readonly idleMinutes: number;
}

const PARTS: Readonly<Record<string, (size: Size) => Promise<string>>> = {
  "round-trips-ipc": ({ scale }) => parts.roundTrips("ipc", count(1_000_000 * scale)),
  "round-trips-tcp": ({ scale }) => parts.roundTrips("tcp", count(1_000_000 * scale)),
  "connects-ipc": ({ scale }) => parts.connectsAndCloses("ipc", count(1000 * scale)),
  "connects-tcp": ({ scale }) => parts.connectsAndCloses("tcp", count(1000 * scale)),
  "multipart-ipc": ({ scale }) => parts.multipart("ipc", sizesUpTo(64 * MIB * scale)),
  "multipart-tcp": ({ scale }) => parts.multipart("tcp", sizesUpTo(64 * MIB * scale)),
  "router-killed": ({ scale }) => parts.routerKilled("ipc", count(20 * scale)),
  "dealer-killed": ({ scale }) => parts.dealerKilled("tcp", count(20 * scale)),
  "high-water-ipc": ({ scale }) =>
    parts.highWater("ipc", { bytes: 1024, rounds: count(50 * scale) }),
  "high-water-tcp": ({ scale }) =>
    parts.highWater("tcp", { bytes: 1024, rounds: count(50 * scale) }),
  "curve": ({ scale }) => parts.curve(count(20_000 * scale)),
  "idle": ({ idleMinutes }) => parts.idle("ipc", idleMinutes * 60_000, IDLE_SHARE_MAX),
};

function count(wanted: number): number {
  return Math.max(1, Math.round(wanted));
}

function sizesUpTo(bytesMax: number): number[] {
  return parts.SIZES.filter((bytes) => bytes <= bytesMax);
}

async function run(names: readonly string[], size: Size): Promise<boolean> {
  let allPassed = true;
  for (const name of names) {
    const startMs = performance.now();
    const [verdict, measured] = await PARTS[name]!(size).then(
      (text) => ["passed", text],
      (error) => ["FAILED", `${error instanceof Error ? error.stack : error}`],
    );
    allPassed &&= verdict === "passed";
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    console.log(`${name.padEnd(16)} ${verdict} ${seconds.padStart(7)} s  ${measured}`);
  }
  return allPassed;
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0) return value;
  throw new InvalidArgumentError(`It must be a number above 0: got ${text}`);
}

function partNames(text: string): string[] {
  const names = text.split(",");
  const unknown = names.filter((name) => !(name in PARTS));
  if (unknown.length === 0) return names;
  throw new InvalidArgumentError(`There is no part ${unknown}; there are ${Object.keys(PARTS)}`);
}

const options = new Command("zeromq_soak")
  .option("--only <parts>", "run these parts only, separated by commas", partNames)
  .option("--scale <factor>", "multiply all counts and the largest size", positive, 1)
  .option("--idle-minutes <minutes>", "how long to watch idle processes", positive, 10)
  .parse()
  .opts<Size & { only?: string[] }>();

Deno.exitCode = await run(options.only ?? Object.keys(PARTS), options) ? 0 : 1;
