/**
 * The other side of a split virtqueue: a driver as a guest has one, over any memory. It checks nothing, so that tests can
 * make it do what no guest should.
 */
import { type RingParts, ringLengths } from "../virtiofs/split-ring.js";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

/** Where a driver has its ring. */
export interface GuestDriverOptions {
  /** Memory of the guest, which begins at {@link guestAddress} there. */
  readonly memory: Uint8Array;
  readonly guestAddress: number;
  /** Where ring and buffers begin in that memory: a multiple of 4096. */
  readonly start: number;
  /** Where they end. */
  readonly end: number;
  /** How many descriptors. */
  readonly size: number;
}

/** A request to be put into the ring. */
export interface Submission {
  readonly readable: readonly Uint8Array[];
  /** Lengths of the buffers for the answer. */
  readonly writable: readonly number[];
  /** Puts all descriptors into a table, to which one descriptor in the ring leads. */
  readonly isIndirect?: boolean;
}

/** An answer. */
export interface Completion {
  readonly head: number;
  /** What the device says it wrote. */
  readonly length: number;
  /** What is in the first `length` bytes of the buffers for it. */
  readonly bytes: Uint8Array;
}

/** A descriptor, with an address of the guest. */
export interface Descriptor {
  readonly address: number;
  readonly length: number;
  readonly flags: number;
  readonly next: number;
}

/** A driver with one ring. */
export class GuestDriver {
  readonly #options: GuestDriverOptions;
  readonly #view: DataView;
  readonly #offsets: { readonly [part in keyof RingParts]: number };
  readonly #buffersStart: number;
  readonly #free: number[];
  readonly #outstanding = new Map<number, { ring: number[]; writable: [number, number][] }>();
  #nextBuffer: number;
  #available = 0;
  #seen = 0;

  constructor(options: GuestDriverOptions) {
    const { memory, start, size } = options;
    const lengths = ringLengths(size);
    const available = start + lengths.descriptors;
    const used = available + ((lengths.available + 3) & ~3);
    this.#options = options;
    this.#view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
    this.#offsets = { descriptors: start, available, used };
    this.#buffersStart = (used + lengths.used + 63) & ~63;
    this.#nextBuffer = this.#buffersStart;
    this.#free = Array.from({ length: size }, (_, i) => size - 1 - i);
  }

  /** Where the parts begin in the memory. */
  get offsets(): { readonly [part in keyof RingParts]: number } {
    return this.#offsets;
  }

  /** The parts as the device would see them. */
  get parts(): RingParts {
    const { memory, size } = this.#options;
    const lengths = ringLengths(size);
    const { descriptors, available, used } = this.#offsets;
    return {
      descriptors: memory.subarray(descriptors, descriptors + lengths.descriptors),
      available: memory.subarray(available, available + lengths.available),
      used: memory.subarray(used, used + lengths.used),
    };
  }

  /** Whether the device has asked to be woken for the last request. Without event index, it always has. */
  get kickEvent(): number {
    return this.#view.getUint16(this.#offsets.used + 4 + 8 * this.#options.size, true);
  }

  /** Says when the guest wants to be woken: after the answer with this number, counted modulo 65536. */
  set callEvent(value: number) {
    this.#view.setUint16(this.#offsets.available + 4 + 2 * this.#options.size, value, true);
  }

  /** Says that the guest wants no calls, where there is no event index. */
  set noCalls(value: boolean) {
    this.#view.setUint16(this.#offsets.available, value ? 1 : 0, true);
  }

  /** Puts a request into the ring. @returns its first descriptor */
  submit({ readable, writable, isIndirect = false }: Submission): number {
    const inputs = readable.map((bytes) => {
      const offset = this.allocate(bytes.length);
      this.#options.memory.set(bytes, offset);
      return [offset, bytes.length] as [number, number];
    });
    const outputs = writable.map((length) => [this.allocate(length), length] as [number, number]);
    const all = [
      ...inputs.map(([offset, length]) => ({ offset, length, flags: 0 })),
      ...outputs.map(([offset, length]) => ({ offset, length, flags: WRITE })),
    ];
    const ring = isIndirect ? [this.#table(all)] : this.#chain(all);
    const [head = 0] = ring;
    this.#outstanding.set(head, { ring, writable: outputs });
    this.offer(head);
    return head;
  }

  /** The answers since the last call. */
  completed(): Completion[] {
    const index = this.#view.getUint16(this.#offsets.used + 2, true);
    const found: Completion[] = [];
    for (; this.#seen !== index; this.#seen = (this.#seen + 1) & 0xffff) {
      const at = this.#offsets.used + 4 + 8 * (this.#seen % this.#options.size);
      found.push(this.#take(this.#view.getUint32(at, true), this.#view.getUint32(at + 4, true)));
    }
    if (this.#outstanding.size === 0) this.#nextBuffer = this.#buffersStart;
    return found;
  }

  /** Puts a descriptor into the available ring, whatever it is. */
  offer(head: number): void {
    const { available } = this.#offsets;
    const slot = this.#available % this.#options.size;
    this.#view.setUint16(available + 4 + 2 * slot, head, true);
    this.setAvailable(this.#available + 1);
  }

  /** Sets the index of the available ring. */
  setAvailable(index: number): void {
    this.#available = index & 0xffff;
    this.#view.setUint16(this.#offsets.available + 2, this.#available, true);
  }

  /** Writes a descriptor of the ring. */
  setDescriptor(index: number, descriptor: Descriptor): void {
    this.#setDescriptorAt(this.#offsets.descriptors + 16 * index, descriptor);
  }

  /** Takes a piece of memory. @returns its offset */
  allocate(length: number): number {
    const offset = this.#nextBuffer;
    this.#nextBuffer = (offset + length + 15) & ~15;
    if (this.#nextBuffer > this.#options.end) throw new RangeError("The guest has no memory left");
    return offset;
  }

  #take(head: number, length: number): Completion {
    const request = this.#outstanding.get(head);
    if (request === undefined)
      throw new RangeError(`The device gives back ${head}, which it has not`);
    this.#outstanding.delete(head);
    this.#free.push(...request.ring);
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const [offset, room] of request.writable) {
      const part = this.#options.memory.subarray(offset, offset + Math.min(room, length - at));
      bytes.set(part, at);
      at += part.length;
    }
    return { head, length, bytes };
  }

  #chain(buffers: readonly { offset: number; length: number; flags: number }[]): number[] {
    const indices = buffers.map(() => this.#takeFree());
    for (const [i, { offset, length, flags }] of buffers.entries()) {
      const next = indices[i + 1];
      this.setDescriptor(indices[i] ?? 0, {
        address: this.#options.guestAddress + offset,
        length,
        flags: next === undefined ? flags : flags | NEXT,
        next: next ?? 0,
      });
    }
    return indices;
  }

  #table(buffers: readonly { offset: number; length: number; flags: number }[]): number {
    const table = this.allocate(16 * buffers.length);
    const last = buffers.length - 1;
    for (const [i, { offset, length, flags }] of buffers.entries()) {
      this.#setDescriptorAt(table + 16 * i, {
        address: this.#options.guestAddress + offset,
        length,
        flags: i === last ? flags : flags | NEXT,
        next: i === last ? 0 : i + 1,
      });
    }
    const index = this.#takeFree();
    const address = this.#options.guestAddress + table;
    this.setDescriptor(index, { address, length: 16 * buffers.length, flags: INDIRECT, next: 0 });
    return index;
  }

  #takeFree(): number {
    const index = this.#free.pop();
    if (index === undefined) throw new RangeError("The guest has no descriptors left");
    return index;
  }

  #setDescriptorAt(offset: number, { address, length, flags, next }: Descriptor): void {
    this.#view.setUint32(offset, address % 2 ** 32, true);
    this.#view.setUint32(offset + 4, Math.floor(address / 2 ** 32), true);
    this.#view.setUint32(offset + 8, length, true);
    this.#view.setUint16(offset + 12, flags, true);
    this.#view.setUint16(offset + 14, next, true);
  }
}
