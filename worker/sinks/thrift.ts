/**
 * Just enough of Thrift's compact protocol to edit a Parquet footer: a struct is taken apart into
 * fields whose values stay encoded, so whatever isn't edited is kept byte for byte, also fields that
 * a later Parquet version adds. Field ids are written relative to the one before, and every struct
 * starts anew, hence an encoded struct or list element can be moved as it is.
 */

export const TYPE = { true: 1, false: 2, i32: 5, i64: 6, binary: 8, list: 9, struct: 12 } as const;

/** A field with its value as encoded; a boolean is all in its type. */
export interface Field {
  id: number;
  type: number;
  bytes: Uint8Array;
}

/** @throws {RangeError} If the bytes end inside the struct. */
export function readStruct(bytes: Uint8Array): Field[] {
  return [...new Cursor(bytes).fields()];
}

/** The elements of an encoded list, each as encoded. */
export function readList(bytes: Uint8Array): { type: number; elements: Uint8Array[] } {
  const cursor = new Cursor(bytes);
  const { type, length } = cursor.listHead();
  return { type, elements: Array.from({ length }, () => cursor.take(type)) };
}

export function readInt(bytes: Uint8Array): number {
  const zigzag = new Cursor(bytes).varint();
  return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
}

export function readBinary(bytes: Uint8Array): Uint8Array {
  const cursor = new Cursor(bytes);
  const length = cursor.varint();
  return bytes.subarray(cursor.at, cursor.at + length);
}

/** The value of a field, as encoded; empty if the struct lacks it. */
export function valueOf(fields: readonly Field[], id: number): Uint8Array | undefined {
  return fields.find((field) => field.id === id)?.bytes;
}

/** The same struct with other values for the fields given by id, which keep their types. */
export function withValues(fields: readonly Field[], values: Record<number, Uint8Array>): Field[] {
  return fields.map((field) => ({ ...field, bytes: values[field.id] ?? field.bytes }));
}

/** @param fields In the order of their ids. */
export function struct(...fields: readonly Field[]): Uint8Array {
  let before = 0;
  const parts = fields.flatMap(({ id, type, bytes }) => {
    const step = id - before;
    before = id;
    return step <= 15
      ? [Uint8Array.of(step << 4 | type), bytes]
      : [Uint8Array.of(type), int(id), bytes];
  });
  return concat([...parts, Uint8Array.of(0)]);
}

export function list(type: number, elements: readonly Uint8Array[]): Uint8Array {
  const size = elements.length;
  const head = size < 15 ? [size << 4 | type] : [0xf0 | type, ...varint(size)];
  return concat([Uint8Array.from(head), ...elements]);
}

export function int(value: number): Uint8Array {
  return Uint8Array.from(varint(value < 0 ? -2 * value - 1 : 2 * value));
}

export function binary(bytes: Uint8Array): Uint8Array {
  return concat([Uint8Array.from(varint(bytes.length)), bytes]);
}

export function i32(id: number, value: number): Field {
  return { id, type: TYPE.i32, bytes: int(value) };
}

export function i64(id: number, value: number): Field {
  return { id, type: TYPE.i64, bytes: int(value) };
}

export function field(id: number, type: number, bytes: Uint8Array): Field {
  return { id, type, bytes };
}

/** Seven bits a byte, low ones first; the protocol's unsigned number. */
export function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value;; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push(rest % 128 | 0x80);
  }
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

class Cursor {
  at = 0;
  constructor(readonly bytes: Uint8Array) {}

  *fields(): Generator<Field> {
    for (let id = 0;;) {
      const head = this.#byte();
      if (head === 0) return;
      const type = head & 15;
      id = head >> 4 === 0 ? this.#zigzag() : id + (head >> 4);
      yield { id, type, bytes: isBoolean(type) ? this.bytes.subarray(0, 0) : this.take(type) };
    }
  }

  /** One encoded value. */
  take(type: number): Uint8Array {
    const start = this.at;
    this.#skip(type);
    if (this.at > this.bytes.length) throw new RangeError("Value ends past its bytes");
    return this.bytes.subarray(start, this.at);
  }

  listHead(): { type: number; length: number } {
    const head = this.#byte();
    return { type: head & 15, length: head >> 4 === 15 ? this.varint() : head >> 4 };
  }

  varint(): number {
    let value = 0;
    for (let scale = 1;; scale *= 128) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  #skip(type: number): void {
    if (type === TYPE.struct) {
      for (const _ of this.fields()); // reading is skipping
    } else if (type === TYPE.binary) {
      const length = this.varint();
      this.at += length;
    } else if (type === TYPE.list || type === 10) this.#skipElements();
    else if (type === 7) this.at += 8;
    else if (type <= 3) this.at += 1; // a byte, also a boolean inside of a list
    else if (type <= 6) this.varint();
    else throw new RangeError(`Type ${type} isn't used by Parquet`);
  }

  #skipElements(): void {
    const { type, length } = this.listHead();
    for (let index = 0; index < length; index++) this.#skip(type);
  }

  #zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new RangeError("Bytes end inside a value");
    return byte;
  }
}

function isBoolean(type: number): boolean {
  return type === TYPE.true || type === TYPE.false;
}
