/** A shop's till, once a week: semicolons, decimal commas, 31.12.2024, and here and there a bad row. */
import { dayOf2024, type DemoFolder, fromCents, sum, textFile, times } from "./folder.ts";
import type { SeededRandom } from "./random.ts";

const FILES = 8;
const SHOPS = ["Zürich", "Genève", "Köln", "Málaga"];
const ARTICLES = ["Teekanne", 'Tasse "Blau"', "Löffel; groß", "Untersetzer", "Kännchen"];
const HEADER = "Datum;Filiale;Artikel;Menge;Preis;Betrag";
/** A header repeated half-way, and a date that no calendar has: the first two weeks have one each. */
const BAD_ROWS = [HEADER, "31.02.2024;Köln;Tasse;1;4,50;4,50"];

export function makeSales(random: SeededRandom): DemoFolder {
  const weeks = times(FILES, (week) => times(random.int(60, 120), () => sale(random, week)));
  const all = weeks.flat();
  return {
    files: weeks.map((sales, week) => {
      const lines = sales.map((one) => one.line);
      const bad = BAD_ROWS[week];
      if (bad !== undefined) lines.splice(20, 0, bad);
      const bom = week % 2 === 0 ? "" : "\ufeff"; // Excel writes one, other tills don't
      const text = `${bom}${[HEADER, ...lines].join("\r\n")}\r\n`;
      return textFile(`sales/week_${`${week + 1}`.padStart(2, "0")}.csv`, text);
    }),
    topics: {
      sales: {
        files: FILES,
        rows: all.length,
        sums: {
          quantity: `${sum(all.map((one) => one.quantity))}`,
          amount: fromCents(sum(all.map((one) => one.cents))),
        },
      },
    },
  };
}

function sale(random: SeededRandom, week: number) {
  const day = dayOf2024(7 * week + random.int(0, 6)).split("-").reverse().join(".");
  const quantity = random.int(1, 40);
  const priceCents = random.int(95, 8_900);
  const cents = quantity * priceCents;
  const article = quoted(random.pick(ARTICLES));
  const line = [day, random.pick(SHOPS), article, quantity, european(priceCents), european(cents)];
  return { line: line.join(";"), quantity, cents };
}

/** 123456 → "1.234,56". */
function european(cents: number): string {
  const [whole, fraction] = fromCents(cents).split(".");
  return `${whole!.replace(/\B(?=(\d{3})+$)/g, ".")},${fraction}`;
}

function quoted(text: string): string {
  return /[";]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
