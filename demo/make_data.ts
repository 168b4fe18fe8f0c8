/**
 * Makes the demo's data files and what must come out of them, the same bytes on every run:
 *
 *     deno run --allow-write=demo demo/make_data.ts
 */
import { makeArchives } from "./make/archives.ts";
import { makeBank } from "./make/bank.ts";
import { makeEvents } from "./make/events.ts";
import { type DemoFile, type DemoFolder, textFile } from "./make/folder.ts";
import { makeInventory } from "./make/inventory.ts";
import { makeInvoices } from "./make/invoices.ts";
import { makeLetters } from "./make/letters.ts";
import { makeOrders } from "./make/orders.ts";
import { SeededRandom } from "./make/random.ts";
import { makeSales } from "./make/sales.ts";
import { makeSensors } from "./make/sensors.ts";
import { makeStockMoves } from "./make/stock_moves.ts";
import { makeWebLogs } from "./make/web_logs.ts";

/** Each has a seed of its own, its place in this list: a new one at the end changes no other's bytes. */
const MAKERS: readonly ((random: SeededRandom) => DemoFolder)[] = [
  makeSales,
  makeEvents,
  makeBank,
  makeInvoices,
  makeWebLogs,
  makeArchives,
  makeInventory,
  makeSensors,
  makeLetters,
  makeStockMoves,
  makeOrders,
];

/** All files of the demo, by their path below demo/: its data, and `expected.json`. */
export function makeDemo(): DemoFile[] {
  const folders = MAKERS.map((make, seed) => make(new SeededRandom(seed)));
  const data = folders.flatMap((folder) => folder.files);
  const expected = {
    files: data.length,
    failedFiles: folders.reduce((total, folder) => total + (folder.failedFiles ?? 0), 0),
    topics: Object.assign({}, ...folders.map((folder) => folder.topics)),
  };
  return [
    ...data.map(({ path, bytes }) => ({ path: `data/${path}`, bytes })),
    textFile("expected.json", `${JSON.stringify(expected, null, 2)}\n`),
  ];
}

if (import.meta.main) {
  for (const { path, bytes } of makeDemo()) {
    const url = new URL(path, import.meta.url);
    await Deno.mkdir(new URL(".", url), { recursive: true });
    await Deno.writeFile(url, bytes);
  }
}
