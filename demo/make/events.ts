/** An app's events, a JSON object a line; the last file was copied while its writer was in mid-line. */
import { dayOf2024, type DemoFolder, sum, textFile, times } from "./folder.ts";
import type { SeededRandom } from "./random.ts";

const FILES = 8;
const TYPES = ["page_view", "search", "add_to_cart", "purchase"];
const COUNTRIES = ["CH", "DE", "FR", "IT", "JP", null];

export function makeEvents(random: SeededRandom): DemoFolder {
  const days = times(FILES, (day) => times(random.int(90, 150), (n) => event(random, day, n)));
  const all = days.flat();
  return {
    files: days.map((events, day) => {
      const lines = events.map((one) => `${JSON.stringify(one)}\n`);
      const cut = day === FILES - 1 ? '{"id": "e9-999", "at": "2024-05-0' : "";
      return textFile(`events/${dayOf2024(120 + day)}.jsonl`, lines.join("") + cut);
    }),
    topics: {
      events: {
        files: FILES,
        rows: all.length,
        sums: {
          user_id: `${sum(all.map((one) => one.user.id))}`,
          value: `${sum(all.map((one) => one.value ?? 0))}`,
        },
      },
    },
  };
}

function event(random: SeededRandom, day: number, n: number) {
  const type = random.pick(TYPES);
  const second = `${n % 60}`.padStart(2, "0");
  const hour = `${8 + Math.floor(n / 12)}`.padStart(2, "0");
  return {
    id: `e${day + 1}-${n}`,
    at: `${dayOf2024(120 + day)}T${hour}:${second}:${second}Z`,
    type,
    user: { id: random.int(1, 400), country: random.pick(COUNTRIES) },
    ...(type === "purchase" && { value: random.int(5, 250) }),
  };
}
