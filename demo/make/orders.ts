/** Orders that nothing is wrong with: what fails on them is bad_plugin. */
import { dayOf2024, type DemoFolder, fromCents, textFile, times } from "./folder.ts";
import type { SeededRandom } from "./random.ts";

const FILES = 2;

export function makeOrders(random: SeededRandom): DemoFolder {
  return {
    files: times(FILES, (n) => {
      const lines = times(
        30,
        (at) =>
          [at + 1, random.int(1, 99), dayOf2024(at), fromCents(random.int(500, 90_000))].join(","),
      );
      const text = ["order_id,customer_id,ordered_on,amount", ...lines].join("\n");
      return textFile(`orders/orders_${n + 1}.csv`, `${text}\n`);
    }),
    topics: {},
    failedFiles: FILES,
  };
}
