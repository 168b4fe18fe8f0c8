/** Formats of columns that are framed by their name and end in a footer whose length is told: Parquet, Arrow files. */
import { ascii, type Format, type Glance, startsWith } from "./format.ts";

const LENGTH_BYTES = 4;

function framed(
  { end, endings, magic, endMagics }: {
    end: string;
    endings: string[];
    magic: string;
    endMagics: string[];
  },
): Format {
  const bytesMin = 2 * magic.length + LENGTH_BYTES;
  const look = ({ size, tail }: Glance) => {
    const footer = tail(magic.length + LENGTH_BYTES);
    const isNamed = endMagics.some((name) => startsWith(footer, ascii(name), LENGTH_BYTES));
    if (!isNamed || footer.length < magic.length + LENGTH_BYTES) return "open";
    const view = new DataView(footer.buffer, footer.byteOffset);
    const footerBytes = view.getUint32(0, true);
    return footerBytes > 0 && footerBytes <= size - bytesMin ? "ended" : "open";
  };
  return { end, endings, bytesMin, is: ({ head }) => startsWith(head, ascii(magic)), look };
}

export const parquet = framed({
  end: "Parquet footer",
  endings: [".parquet", ".pq"],
  magic: "PAR1",
  endMagics: ["PAR1", "PARE"], // the latter if the footer is encrypted
});

export const arrow = framed({
  end: "Arrow footer",
  endings: [".arrow", ".feather"],
  magic: "ARROW1",
  endMagics: ["ARROW1"],
});
