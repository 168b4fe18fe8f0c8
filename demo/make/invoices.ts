/** Suppliers' invoices: XML with a namespace, lines nested in each invoice, and here and there no discount. */
import { dayOf2024, type DemoFolder, fromCents, sum, textFile, times } from "./folder.ts";
import type { SeededRandom } from "./random.ts";

const FILES = 8;
const SUPPLIERS = ["Ferro & Figli", "Nord <Stahl>", "Atelier Léa"];
const ITEMS = ["Bolt M8", "Washer & nut", "Bracket 90°", "Hinge"];

export function makeInvoices(random: SeededRandom): DemoFolder {
  const batches = times(
    FILES,
    (batch) => times(random.int(8, 16), (n) => invoice(random, batch, n)),
  );
  const all = batches.flat();
  const lines = all.flatMap((one) => one.lines);
  return {
    files: batches.map((invoices, batch) => {
      const body = invoices.map((one) => one.xml).join("");
      const text = `<?xml version="1.0" encoding="UTF-8"?>\n` +
        `<Invoices xmlns="urn:example:invoices:1">\n${body}</Invoices>\n`;
      return textFile(`invoices/batch_${batch + 1}.xml`, text);
    }),
    topics: {
      invoices: {
        files: FILES,
        rows: all.length,
        sums: { total: fromCents(sum(all.map((one) => one.cents))) },
      },
      invoice_lines: {
        files: FILES,
        rows: lines.length,
        sums: {
          quantity: `${sum(lines.map((line) => line.quantity))}`,
          amount: fromCents(sum(lines.map((line) => line.cents))),
        },
      },
    },
  };
}

function invoice(random: SeededRandom, batch: number, n: number) {
  const lines = times(random.int(1, 5), (at) => line(random, at + 1));
  const cents = sum(lines.map((one) => one.cents));
  const xml = `  <Invoice number="2024-${batch + 1}${`${n}`.padStart(3, "0")}">\n` +
    `    <Issued>${dayOf2024(random.int(0, 365))}</Issued>\n` +
    `    <Supplier><Name>${escaped(random.pick(SUPPLIERS))}</Name></Supplier>\n` +
    `    <Lines>\n${lines.map((one) => one.xml).join("")}    </Lines>\n` +
    `    <Total currency="EUR">${fromCents(cents)}</Total>\n  </Invoice>\n`;
  return { xml, cents, lines };
}

function line(random: SeededRandom, number: number) {
  const quantity = random.int(1, 30);
  const cents = quantity * random.int(12, 4_500);
  const discount = random.chance(0.3) ? ` discount="${random.pick([5, 10])}"` : "";
  const xml = `      <Line no="${number}"${discount}><Item>${escaped(random.pick(ITEMS))}</Item>` +
    `<Quantity>${quantity}</Quantity><Amount>${fromCents(cents)}</Amount></Line>\n`;
  return { xml, quantity, cents };
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
