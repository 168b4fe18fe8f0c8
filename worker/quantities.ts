/** Amounts as people read them [pure]. */

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** 1,234,567 */
export function numberText(value: number): string {
  return value.toLocaleString("en-US");
}

/** "1 row", "12,400 rows", "no rows" */
export function countText(amount: number, what: string): string {
  return `${amount === 0 ? "no" : numberText(amount)} ${what}${amount === 1 ? "" : "s"}`;
}

/** 512 B, 1.5 KiB, 2 GiB, 23 MiB */
export function bytesText(bytes: number): string {
  const unit = bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10);
  return inUnit(bytes, Math.min(unit, BYTE_UNITS.length - 1), 1);
}

/** Two amounts in words that differ: "2.1 GiB", "2 GiB"; but "2,050 MiB", "2,048 MiB". */
export function differingBytes(one: number, other: number): [string, string] {
  for (let unit = BYTE_UNITS.length - 1; unit > 0; unit--) {
    const texts = [inUnit(one, unit, 1), inUnit(other, unit, 1)] as [string, string];
    if (Math.min(one, other) >= 1024 ** unit && texts[0] !== texts[1]) return texts;
  }
  return [inUnit(one, 0, 0), inUnit(other, 0, 0)];
}

/** 250 ms, 1.5 s, 30 s, 90 s: limits are named as whoever set them wrote them. */
export function limitText(ms: number): string {
  return ms < 1000 ? `${numberText(ms)} ms` : `${numberText(ms / 1000)} s`;
}

function inUnit(bytes: number, unit: number, digits: number): string {
  const value = bytes / 1024 ** unit;
  const rounded = Number(value.toFixed(value >= 10 ? 0 : digits));
  return `${numberText(rounded)} ${BYTE_UNITS[unit]}`;
}
