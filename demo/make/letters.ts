/** Letters of three paragraphs, for a plugin that reads slowly. */
import { type DemoFolder, sum, textFile, times } from "./folder.ts";
import type { SeededRandom } from "./random.ts";

const FILES = 5;
const PARAGRAPHS = 3;

export function makeLetters(random: SeededRandom): DemoFolder {
  const words = ["the", "ship", "left", "at", "dawn", "and", "rain", "followed", "us"];
  const letters = times(
    FILES,
    () => times(PARAGRAPHS, () => times(random.int(8, 20), () => random.pick(words))),
  );
  return {
    files: letters.map((paragraphs, n) =>
      textFile(
        `letters/letter_${n + 1}.txt`,
        paragraphs.map((all) => all.join(" ")).join("\n\n") + "\n",
      )
    ),
    topics: {
      letter_paragraphs: {
        files: FILES,
        rows: PARAGRAPHS * FILES,
        sums: { words: `${sum(letters.flat().map((all) => all.length))}` },
      },
    },
  };
}
