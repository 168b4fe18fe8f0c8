/** Monthly exports of weather stations: a zip, in it a CSV for each station, and a note for people. */
import { zip } from "./archive.ts";
import { dayOf2024, type DemoFolder, sum, times } from "./folder.ts";
import type { SeededRandom } from "./random.ts";

const FILES = 5;
const STATIONS = ["harbour", "airport", "summit"];

export function makeArchives(random: SeededRandom): DemoFolder {
  const months = times(FILES, (month) => STATIONS.map((name) => station(random, month, name)));
  const rain = months.flat().flatMap((one) => one.rain);
  return {
    files: months.map((stations, month) => {
      const note = { name: "READ ME.txt", content: new TextEncoder().encode("Rain in mm.\n") };
      return { path: `archives/export_${month + 1}.zip`, bytes: zip([note, ...stations]) };
    }),
    topics: {
      weather: { files: FILES, rows: rain.length, sums: { rain_mm: `${sum(rain)}` } },
    },
  };
}

function station(random: SeededRandom, month: number, name: string) {
  const rain = times(28, () => random.chance(0.6) ? 0 : random.int(1, 40));
  const rows = rain.map((mm, day) =>
    `${dayOf2024(30 * month + day)},${random.int(-80, 310) / 10},${mm}`
  );
  const text = ["day,temperature_c,rain_mm", ...rows].join("\n");
  return { name: `stations/${name}.csv`, content: new TextEncoder().encode(text + "\n"), rain };
}
