/** A shift's moves of stock, `sku=A-17|qty=3|from=B2|to=C1`: fields in any order, and some left out. */
import { type DemoFolder, sum, textFile, times } from "./folder.ts";
import type { SeededRandom } from "./random.ts";

const FILES = 6;

export function makeStockMoves(random: SeededRandom): DemoFolder {
  const files = times(FILES, () =>
    times(random.int(40, 90), () => {
      const quantity = random.int(1, 60);
      const fields = [
        `sku=A-${random.int(1, 99)}`,
        `qty=${quantity}`,
        `to=${random.pick(["B2", "C1"])}`,
      ];
      if (random.chance(0.7)) {
        fields.splice(random.int(0, 3), 0, `from=${random.pick(["A1", "D4"])}`);
      }
      return { line: fields.join("|"), quantity };
    }));
  const all = files.flat();
  return {
    files: files.map((moves, n) =>
      textFile(`stock_moves/shift_${n + 1}.dat`, moves.map((one) => `${one.line}\n`).join(""))
    ),
    topics: {
      stock_moves: {
        files: FILES,
        rows: all.length,
        sums: { qty: `${sum(all.map((one) => one.quantity))}` },
      },
    },
  };
}
