/**
 * Just enough of Thrift's compact protocol to edit a Parquet footer: a struct is taken apart into
 * fields whose values stay encoded, so whatever isn't edited is kept byte for byte, also fields that
 * a later Parquet version adds. Field ids are written relative to the one before, and every struct
 * starts anew, hence an encoded struct or list element can be moved as it is.
 */

export const TYPE = { true: 1, false: 2, i32: 5, i64: 6, binary: 8, list: 9, struct: 12 } as const;

export interface Field {
  id: number;
  type: number;
  value: Value;
}

/** A field as it was read: its value is still encoded; a boolean is all in its type. */
export interface EncodedField extends Field {
  value: Uint8Array;
}

/** Bytes are a value that is encoded already; a struct is its fields, in the order of their ids. */
export type Value = Uint8Array | number | readonly Field[] | { text: Uint8Array } | List;
type List = { type: number; elements: readonly Value[] };

/** @throws {RangeError} If the bytes end inside the struct. */
export function readStruct(bytes: Uint8Array): EncodedField[] {
  return new Cursor(bytes).fields();
}

/** The elements of an encoded list, each as encoded. */
export function readList(bytes: Uint8Array): { type: number; elements: Uint8Array[] } {
  const cursor = new Cursor(bytes);
  const { type, length } = cursor.listHead();
  const elements: Uint8Array[] = [];
  while (elements.length < length) elements.push(cursor.take(type));
  return { type, elements };
}

export function readInt(bytes: Uint8Array): number {
  return new Cursor(bytes).int();
}

export function readText(bytes: Uint8Array): Uint8Array {
  const cursor = new Cursor(bytes);
  const length = cursor.varint();
  return bytes.subarray(cursor.at, cursor.at + length);
}

/** The value of a field, as encoded. */
export function valueOf(fields: readonly EncodedField[], id: number): Uint8Array | undefined {
  return fields.find((field) => field.id === id)?.value;
}

/** The same struct with other values for the fields given by id, which keep their types. */
export function withValues(fields: readonly Field[], values: Record<number, Value>): Field[] {
  return fields.map(({ id, type, value }) => ({ id, type, value: values[id] ?? value }));
}

export function i32(id: number, value: number): Field {
  return { id, type: TYPE.i32, value };
}

export function i64(id: number, value: number): Field {
  return { id, type: TYPE.i64, value };
}

export function text(id: number, value: Uint8Array): Field {
  return { id, type: TYPE.binary, value: { text: value } };
}

export function struct(id: number, ...fields: Field[]): Field {
  return { id, type: TYPE.struct, value: fields };
}

export function list(id: number, type: number, elements: readonly Value[]): Field {
  return { id, type: TYPE.list, value: { type, elements } };
}

/** Encodes a value, as one field of a struct or one element of a list holds it. */
export function encode(value: Value): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.value(value);
  return writer.finish();
}

class Writer {
  #bytes = new Uint8Array(512);
  #used = 0;

  value(value: Value): void {
    if (typeof value === "number") this.#varint(value < 0 ? -2 * value - 1 : 2 * value);
    else if (value instanceof Uint8Array) this.#append(value);
    else if ("text" in value) {
      this.#varint(value.text.length);
      this.#append(value.text);
    } else if ("elements" in value) this.#list(value);
    else this.#struct(value);
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#used);
  }

  #struct(fields: readonly Field[]): void {
    let before = 0;
    for (const { id, type, value } of fields) {
      const step = id - before;
      before = id;
      if (step <= 15) this.#byte(step << 4 | type);
      else {
        this.#byte(type);
        this.value(id);
      }
      this.value(value);
    }
    this.#byte(0);
  }

  #list({ type, elements }: List): void {
    if (elements.length < 15) this.#byte(elements.length << 4 | type);
    else {
      this.#byte(0xf0 | type);
      this.#varint(elements.length);
    }
    for (const element of elements) this.value(element);
  }

  #varint(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#byte(rest % 128 | 0x80);
    this.#byte(rest);
  }

  #byte(byte: number): void {
    if (this.#used === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#used++] = byte;
  }

  #append(bytes: Uint8Array): void {
    if (this.#used + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  #grow(bytes: number): void {
    const capacity = Math.max(this.#used + bytes, 2 * this.#bytes.length);
    this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(capacity));
  }
}

class Cursor {
  at = 0;
  constructor(readonly bytes: Uint8Array) {}

  fields(): EncodedField[] {
    const fields: EncodedField[] = [];
    for (let id = 0;;) {
      const head = this.#byte();
      if (head === 0) return fields;
      const type = head & 15;
      id = head >> 4 === 0 ? this.int() : id + (head >> 4);
      fields.push({ id, type, value: isBoolean(type) ? NO_BYTES : this.take(type) });
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
    if (type === TYPE.struct) this.#skipFields();
    else if (type === TYPE.binary) {
      const length = this.varint();
      this.at += length;
    } else if (type === TYPE.list || type === 10) this.#skipElements();
    else if (type === 7) this.at += 8;
    else if (type <= 3) this.at += 1; // a byte, also a boolean inside of a list
    else if (type <= 6) this.varint();
    else throw new RangeError(`Type ${type} isn't used by Parquet`);
  }

  #skipFields(): void {
    for (let head = this.#byte(); head !== 0; head = this.#byte()) {
      if (head >> 4 === 0) this.varint(); // the field's id
      if (!isBoolean(head & 15)) this.#skip(head & 15);
    }
  }

  #skipElements(): void {
    const { type, length } = this.listHead();
    for (let index = 0; index < length; index++) this.#skip(type);
  }

  int(): number {
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

const NO_BYTES = new Uint8Array(0);
