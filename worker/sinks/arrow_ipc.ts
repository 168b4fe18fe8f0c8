/** The framing of an Arrow IPC stream: `[0xFFFFFFFF][metadata length][metadata][body]`, repeated. */
import { FlatTable } from "./flatbuffer.ts";
import { SinkError } from "./sink.ts";

export const KIND = { schema: 1, dictionary: 2, batch: 3 } as const;

/** Slots of Arrow's `Message` table. */
export const MESSAGE = { version: 0, kind: 1, header: 2, bodyBytes: 3 } as const;
const METADATA_BYTES_MAX = 16 * 1024 * 1024; // a schema of 10,000 columns needs 1 MiB

export interface IpcMessage {
  kind: number;
  version: number;
  header: FlatTable;
  /** The FlatBuffers bytes that `header` lies in. */
  metadata: Uint8Array;
  body: Uint8Array;
  /** The whole message as it came, framing included. */
  bytes: Uint8Array;
}

/** @throws {SinkError} If the bytes are no Arrow IPC stream, or stop inside a message. */
export function* ipcMessages(stream: Uint8Array): Generator<IpcMessage> {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  for (let at = 0; at + 8 <= stream.length;) {
    if (view.getUint32(at, true) !== 0xffffffff) throw malformed(`no message mark at byte ${at}`);
    const metadataBytes = view.getUint32(at + 4, true);
    if (metadataBytes === 0) return; // end of stream
    if (metadataBytes > Math.min(METADATA_BYTES_MAX, stream.length - at - 8)) {
      throw malformed(`${metadataBytes} bytes of metadata announced at byte ${at}`);
    }
    const message = readMessage(stream.subarray(at), metadataBytes);
    yield message;
    at += message.bytes.length;
  }
}

function readMessage(rest: Uint8Array, metadataBytes: number): IpcMessage {
  const metadata = rest.subarray(8, 8 + metadataBytes);
  return guarded(() => {
    const message = FlatTable.root(metadata);
    const bodyBytes = message.i64(MESSAGE.bodyBytes);
    const header = message.table(MESSAGE.header);
    const end = 8 + metadataBytes + bodyBytes;
    if (header === undefined || bodyBytes < 0 || end > rest.length) {
      throw malformed(`${bodyBytes} bytes of body announced, ${rest.length} bytes left`);
    }
    const [kind, version] = [message.u8(MESSAGE.kind), message.i16(MESSAGE.version)];
    const body = rest.subarray(8 + metadataBytes, end);
    return { kind, version, header, metadata, body, bytes: rest.subarray(0, end) };
  });
}

/** Runs a reader of untrusted metadata: whatever lies outside of it becomes a SinkError. */
export function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw malformed(error.message);
    throw error;
  }
}

export function malformed(why: string): SinkError {
  return new SinkError(`Cannot read a batch as it must be an Arrow IPC stream: ${why}`);
}

/** Metadata with its framing; the body follows. */
export function framed(metadata: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 + metadata.length); // FlatBuffers padded it to a multiple of 8
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xffffffff, true);
  view.setUint32(4, metadata.length, true);
  bytes.set(metadata, 8);
  return bytes;
}
