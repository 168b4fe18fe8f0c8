/** A bank's night run: records of fixed width, framed by a header and a trailer with count and total. */
import { dayOf2024, type DemoFolder, fromCents, sum, textFile, times } from "./folder.ts";
import type { SeededRandom } from "./random.ts";

const FILES = 6;
const TEXTS = ["RENT", "SALARY", "CARD PAYMENT", "REFUND", "STANDING ORDER 0042"];

export function makeBank(random: SeededRandom): DemoFolder {
  const nights = times(FILES, () => times(random.int(80, 140), () => booking(random)));
  const all = nights.flat();
  return {
    files: nights.map((bookings, night) => {
      const day = dayOf2024(31 + night).replaceAll("-", "");
      const total = sum(bookings.map((one) => one.cents));
      const lines = [
        `H${day}${"NORTHBANK".padEnd(20)}`,
        ...bookings.map((one) => one.record(day)),
        `T${`${bookings.length}`.padStart(6, "0")}${signed(total, 15)}`,
      ];
      return textFile(`bank/run_${day}.txt`, `${lines.join("\n")}\n`);
    }),
    topics: {
      bank_bookings: {
        files: FILES,
        rows: all.length,
        sums: { amount: fromCents(sum(all.map((one) => one.cents))) },
      },
    },
  };
}

function booking(random: SeededRandom) {
  const cents = random.int(-250_000, 400_000);
  const account = `${random.int(1, 9_999)}`.padStart(10, "0");
  const text = random.pick(TEXTS).padEnd(20);
  return { cents, record: (day: string) => `D${account}${day}${signed(cents, 12)}${text}` };
}

/** Cents with the sign in front and zeros between: 12 wide, -1250 is "-00000001250". */
function signed(cents: number, width: number): string {
  return (cents < 0 ? "-" : "+") + `${Math.abs(cents)}`.padStart(width - 1, "0");
}
