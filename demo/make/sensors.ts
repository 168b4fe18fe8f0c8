/** Readings with a few that break data_validator's rules: gone, out of range, negative, told twice. */
import { type DemoFolder, sum, textFile, times } from "./folder.ts";
import type { SeededRandom } from "./random.ts";

const FILES = 8;
const RULES = 4;

export function makeSensors(random: SeededRandom): DemoFolder {
  const files = times(FILES, () => times(random.int(80, 120), (n) => reading(random, n)));
  const checked = sum(files.map((readings) => RULES * readings.length));
  const broken = sum(files.flat().map((one) => one.broken));
  return {
    files: files.map((readings, n) => {
      const lines = ["reading,temperature_c,humidity_percent", ...readings.map((one) => one.line)];
      return textFile(`sensors/probe_${n + 1}.csv`, `${lines.join("\n")}\n`);
    }),
    topics: {
      data_quality: {
        files: FILES,
        rows: FILES * RULES,
        sums: { rows_checked: `${checked}`, rows_broken: `${broken}` },
      },
    },
  };
}

function reading(random: SeededRandom, n: number) {
  const kind = random.int(1, 30);
  const temperature = kind === 1 ? "" : kind === 2 ? "999.9" : `${random.int(-200, 450) / 10}`;
  const humidity = kind === 3 ? "-5" : `${random.int(0, 100)}`;
  const isTwice = kind === 4 && n > 0;
  const broken = (kind <= 3 ? 1 : 0) + (isTwice ? 1 : 0);
  return { line: `${isTwice ? 0 : n},${temperature},${humidity}`, broken };
}
