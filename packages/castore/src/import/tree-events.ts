// What the reader of a file tree tells the importing thread, as compact bytes: tens of thousands of
// small objects would cost more to hand over than the files to read.
//
//   event = BEGIN_DIRECTORY
//         | ENTRY length:u16 name[length]          the name of the node that follows
//         | END_DIRECTORY length:u32 record[length]   see stat-record.ts; may be empty
//         | SYMLINK length:u16 target[length]
//         | FILE executable:u8 size:u32            content: the next `size` bytes of the batch
//         | LARGE_FILE executable:u8 size:f64      content: in batches of its own
import { CastoreError } from "../errors.js";

const EventType = {
  BEGIN_DIRECTORY: 1,
  ENTRY: 2,
  END_DIRECTORY: 3,
  SYMLINK: 4,
  FILE: 5,
  LARGE_FILE: 6,
} as const;

/** Is told the events of a batch, in order. Views are valid during the call only. */
export interface TreeEventVisitor {
  beginDirectory(): void;
  entry(name: Uint8Array): void;
  endDirectory(record: Uint8Array): void;
  symlink(target: Uint8Array): void;
  file(size: number, executable: boolean): void;
  largeFile(size: number, executable: boolean): void;
}

const INITIAL_CAPACITY = 64 * 1024;

/** Writes events, one after the other, in memory that grows. */
export class TreeEventWriter {
  #bytes = new Uint8Array(INITIAL_CAPACITY);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get byteLength(): number {
    return this.#length;
  }

  beginDirectory(): void {
    this.#byte(EventType.BEGIN_DIRECTORY);
  }

  /** @param name - one character a byte */
  entry(name: string): void {
    this.#text(EventType.ENTRY, name);
  }

  endDirectory(record: Uint8Array): void {
    this.#reserve(5 + record.byteLength);
    this.#bytes[this.#length++] = EventType.END_DIRECTORY;
    this.#view.setUint32(this.#length, record.byteLength, true);
    this.#bytes.set(record, this.#length + 4);
    this.#length += 4 + record.byteLength;
  }

  /** @param target - one character a byte */
  symlink(target: string): void {
    this.#text(EventType.SYMLINK, target);
  }

  file(size: number, executable: boolean): void {
    this.#reserve(6);
    this.#bytes[this.#length++] = EventType.FILE;
    this.#bytes[this.#length++] = executable ? 1 : 0;
    this.#view.setUint32(this.#length, size, true);
    this.#length += 4;
  }

  largeFile(size: number, executable: boolean): void {
    this.#reserve(10);
    this.#bytes[this.#length++] = EventType.LARGE_FILE;
    this.#bytes[this.#length++] = executable ? 1 : 0;
    this.#view.setFloat64(this.#length, size, true);
    this.#length += 8;
  }

  /** All events since the last call, in memory of their own. */
  take(): Uint8Array<ArrayBuffer> {
    const events = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return events;
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  #text(type: number, text: string): void {
    this.#reserve(3 + text.length);
    this.#bytes[this.#length++] = type;
    this.#view.setUint16(this.#length, text.length, true);
    this.#length += 2;
    for (let i = 0; i < text.length; i++) this.#bytes[this.#length++] = text.charCodeAt(i);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.byteLength) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.byteLength, this.#length + count));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** Tells `visitor` the events in `bytes`. */
export function visitTreeEvents(bytes: Uint8Array, visitor: TreeEventVisitor): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (length: number) => {
    const part = bytes.subarray(at, at + length);
    at += length;
    return part;
  };
  while (at < bytes.byteLength) {
    switch (bytes[at++]) {
      case EventType.BEGIN_DIRECTORY:
        visitor.beginDirectory();
        break;
      case EventType.ENTRY:
        at += 2;
        visitor.entry(take(view.getUint16(at - 2, true)));
        break;
      case EventType.END_DIRECTORY:
        at += 4;
        visitor.endDirectory(take(view.getUint32(at - 4, true)));
        break;
      case EventType.SYMLINK:
        at += 2;
        visitor.symlink(take(view.getUint16(at - 2, true)));
        break;
      case EventType.FILE:
        at += 5;
        visitor.file(view.getUint32(at - 4, true), bytes[at - 5] === 1);
        break;
      case EventType.LARGE_FILE:
        at += 9;
        visitor.largeFile(view.getFloat64(at - 8, true), bytes[at - 9] === 1);
        break;
      default:
        throw new CastoreError("CORRUPT", "Cannot import: the reader sent an unknown event");
    }
  }
}
