/**
 * Just enough FlatBuffers for the metadata of Arrow messages. Arrow's own JavaScript library can't
 * decode every type that pyarrow sends, and we need no values: only to append columns.
 * Offsets are unsigned and so point forward only, hence everything below is written top down.
 */

/** A table in untrusted bytes; reading past their end throws a RangeError. */
export class FlatTable {
  constructor(readonly view: DataView, readonly at: number) {}

  static root(bytes: Uint8Array): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(view, view.getUint32(0, true));
  }

  u8(slot: number): number {
    const at = this.#field(slot);
    return at === undefined ? 0 : this.view.getUint8(at);
  }

  i16(slot: number, missing = 0): number {
    const at = this.#field(slot);
    return at === undefined ? missing : this.view.getInt16(at, true);
  }

  i32(slot: number, missing = 0): number {
    const at = this.#field(slot);
    return at === undefined ? missing : this.view.getInt32(at, true);
  }

  i64(slot: number): number {
    const at = this.#field(slot);
    return at === undefined ? 0 : Number(this.view.getBigInt64(at, true));
  }

  table(slot: number): FlatTable | undefined {
    const at = this.#target(slot);
    return at === undefined ? undefined : new FlatTable(this.view, at);
  }

  tables(slot: number): FlatTable[] {
    const elements = this.vector(slot, 4);
    return Array.from({ length: elements.length / 4 }, (_, index) => {
      const at = elements.byteOffset - this.view.byteOffset + 4 * index;
      return new FlatTable(this.view, at + this.view.getUint32(at, true));
    });
  }

  /** The bytes of a vector's elements, as a view; empty if there is none. */
  vector(slot: number, elementBytes: number): Uint8Array {
    const at = this.#target(slot);
    if (at === undefined) return new Uint8Array(0);
    const bytes = this.view.getUint32(at, true) * elementBytes;
    if (at + 4 + bytes > this.view.byteLength) throw new RangeError("Vector ends past its buffer");
    return new Uint8Array(this.view.buffer, this.view.byteOffset + at + 4, bytes);
  }

  text(slot: number): string {
    return new TextDecoder().decode(this.vector(slot, 1));
  }

  #field(slot: number): number | undefined {
    const vtable = this.at - this.view.getInt32(this.at, true);
    const entry = 4 + 2 * slot;
    if (entry >= this.view.getUint16(vtable, true)) return undefined;
    const offset = this.view.getUint16(vtable + entry, true);
    return offset === 0 ? undefined : this.at + offset;
  }

  #target(slot: number): number | undefined {
    const at = this.#field(slot);
    return at === undefined ? undefined : at + this.view.getUint32(at, true);
  }
}

/** Writes what an offset points to and returns where it put it. */
type Emit = (writer: FlatWriter) => number;
/** A field of a table to be written; `undefined` leaves it out. */
export type Slot =
  | { bytes: 1 | 2 | 4 | 8; value: number }
  | { points: Emit }
  | { tailAt: number }
  | undefined;

export const u8 = (value: number): Slot => ({ bytes: 1, value });
export const i16 = (value: number): Slot => ({ bytes: 2, value });
export const i32 = (value: number): Slot => ({ bytes: 4, value });
export const i64 = (value: number): Slot => ({ bytes: 8, value });
export const text = (value: string): Slot => ({ points: (writer) => writer.text(value) });
export const table = (...slots: Slot[]): Slot => ({ points: (writer) => writer.table(slots) });
export const tables = (elements: readonly Slot[]): Slot => ({
  points: (writer) => writer.tables(elements),
});
/** Points at a place in the tail that `flatbuffer` is given. */
export const inTail = (tailAt: number): Slot => ({ tailAt });

/**
 * @param tail Other FlatBuffers bytes, kept as they are behind the new ones, so that new tables can
 * point at old ones whatever those hold.
 */
export function flatbuffer(root: Slot[], tail?: Uint8Array): Uint8Array<ArrayBuffer> {
  const writer = new FlatWriter();
  writer.root(root);
  return writer.finish(tail);
}

class FlatWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #used = 0;
  readonly #intoTail: { at: number; tailAt: number }[] = [];

  root(slots: readonly Slot[]): void {
    const at = this.#claim(4, 4);
    this.#view.setUint32(at, this.table(slots), true);
  }

  table(slots: readonly Slot[]): number {
    const vtableBytes = 4 + 2 * slots.length;
    const vtable = this.#claim(vtableBytes, 2);
    const at = this.#claim(4, 4);
    const fields = slots.map((slot) => slot && this.#claimField(slot));
    this.#view.setInt32(at, at - vtable, true);
    this.#view.setUint16(vtable, vtableBytes, true);
    this.#view.setUint16(vtable + 2, this.#used - at, true);
    fields.forEach((field, slot) => {
      this.#view.setUint16(vtable + 4 + 2 * slot, field === undefined ? 0 : field - at, true);
    });
    slots.forEach((slot, index) => this.#fill(fields[index] ?? 0, slot));
    return at;
  }

  tables(elements: readonly Slot[]): number {
    const at = this.#claim(4 + 4 * elements.length, 4);
    this.#view.setUint32(at, elements.length, true);
    elements.forEach((element, index) => this.#fill(at + 4 + 4 * index, element));
    return at;
  }

  text(value: string): number {
    const bytes = new TextEncoder().encode(value);
    const at = this.#claim(4 + bytes.length + 1, 4); // text ends with a NUL that isn't counted
    this.#view.setUint32(at, bytes.length, true);
    this.#bytes.set(bytes, at + 4);
    return at;
  }

  finish(tail: Uint8Array = new Uint8Array(0)): Uint8Array<ArrayBuffer> {
    const tailStart = this.#claim(tail.length, 8);
    this.#bytes.set(tail, tailStart);
    for (const { at, tailAt } of this.#intoTail) {
      this.#view.setUint32(at, tailStart + tailAt - at, true);
    }
    this.#claim(0, 8);
    return this.#bytes.slice(0, this.#used);
  }

  #claimField(slot: NonNullable<Slot>): number {
    const bytes = "bytes" in slot ? slot.bytes : 4;
    return this.#claim(bytes, bytes);
  }

  #fill(at: number, slot: Slot): void {
    if (slot === undefined) return;
    if ("tailAt" in slot) this.#intoTail.push({ at, tailAt: slot.tailAt });
    else if ("points" in slot) {
      const target = slot.points(this); // may move the bytes, so it comes before the view is used
      this.#view.setUint32(at, target - at, true);
    } else if (slot.bytes === 8) this.#view.setBigInt64(at, BigInt(slot.value), true);
    else if (slot.bytes === 4) this.#view.setInt32(at, slot.value, true);
    else if (slot.bytes === 2) this.#view.setInt16(at, slot.value, true);
    else this.#view.setUint8(at, slot.value);
  }

  /** @returns A place for `bytes` zero bytes, at a multiple of `align`. */
  #claim(bytes: number, align: number): number {
    const at = Math.ceil(this.#used / align) * align;
    this.#used = at + bytes;
    if (this.#used > this.#bytes.length) {
      const capacity = Math.max(this.#used, 2 * this.#bytes.length);
      this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(capacity));
      this.#view = new DataView(this.#bytes.buffer);
    }
    return at;
  }
}
