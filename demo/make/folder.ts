/** What each maker gives: files, and what must be read from them. */

export interface DemoFile {
  /** Below demo/data/. */
  path: string;
  bytes: Uint8Array<ArrayBuffer>;
}

export interface ExpectedTopic {
  files: number;
  rows: number;
  /** Column to the sum of its values over all files, as a decimal number in text. */
  sums: Record<string, string>;
}

export interface DemoFolder {
  files: DemoFile[];
  topics: Record<string, ExpectedTopic>;
  /** How many of the files fail, by intention. */
  failedFiles?: number;
}

export function textFile(path: string, text: string): DemoFile {
  return { path, bytes: new TextEncoder().encode(text) };
}

/** 123456 → "1234.56". */
export function fromCents(cents: number): string {
  const digits = `${Math.abs(cents)}`.padStart(3, "0");
  return `${cents < 0 ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The n-th day of 2024, from 0, as "2024-01-31". */
export function dayOf2024(n: number): string {
  return new Date(Date.UTC(2024, 0, 1 + n)).toISOString().slice(0, 10);
}

export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
