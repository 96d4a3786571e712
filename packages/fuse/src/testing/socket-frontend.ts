import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Koffi } from "../native/koffi.js";
import { LINUX, libcOf } from "../native/libc.js";
import { watchReadable } from "../native/watch-readable.js";
import { mapRegion } from "../virtiofs/map-region.js";
import { systemCallsOf } from "../virtiofs/system-calls.js";
import { HEADER_LENGTH } from "../virtiofs/vhost-user-protocol.js";
import type { FrontendMessage } from "./frontend-messages.js";

/** A front-end of vhost-user with real sockets, files and eventfds, but no virtual machine. */
export class SocketFrontend {
  readonly #koffi: Koffi;
  readonly #socket: number;
  readonly #files = new Set<number>();
  readonly #unmap: (() => void)[] = [];
  readonly #directory: string;

  /** Connects. */
  constructor(koffi: Koffi, socketPath: string) {
    this.#koffi = koffi;
    this.#directory = mkdtempSync("/dev/shm/tvix-frontend-");
    const calls = systemCallsOf(koffi);
    const path = new TextEncoder().encode(socketPath);
    const address = new Uint8Array(new ArrayBuffer(3 + path.length));
    address[0] = LINUX.AF_UNIX;
    address.set(path, 2);
    this.#socket = calls.socket(LINUX.AF_UNIX, LINUX.SOCK_STREAM | LINUX.SOCK_CLOEXEC, 0);
    if (calls.connect(this.#socket, address, address.length) !== 0) {
      throw new Error(`Cannot connect: errno ${libcOf(koffi).errno()}`);
    }
  }

  /** A file of memory. */
  memoryFile(size: number): number {
    const file = openSync(join(this.#directory, `memory-${this.#files.size}`), "w+");
    this.#files.add(file);
    ftruncateSync(file, size);
    return file;
  }

  /** The memory of a file, as a guest sees it. */
  map(file: number, size: number): Uint8Array {
    const place = { guestAddress: 0, userAddress: 0n, fileOffset: 0, size };
    const region = mapRegion(this.#koffi, file, place);
    this.#unmap.push(() => region.unmap());
    return region.windows[0] ?? new Uint8Array(0);
  }

  /** An eventfd. */
  event(): number {
    const eventfd = this.#koffi.load(null).func("int eventfd(unsigned int value, int flags)") as (
      value: number,
      flags: number,
    ) => number;
    const file = eventfd(0, LINUX.O_NONBLOCK);
    this.#files.add(file);
    return file;
  }

  /** Adds 1 to an eventfd. */
  kick(event: number): void {
    writeSync(event, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
  }

  /** Waits until something was added to an eventfd. */
  called(event: number): Promise<void> {
    return new Promise((resolve) => {
      const stop = watchReadable(this.#koffi, event, () => {
        stop();
        readSync(event, new Uint8Array(8));
        resolve();
      });
    });
  }

  /** Sends a message with files. */
  send(message: FrontendMessage, files: readonly number[] = [], needsReply = false): void {
    const { request, payload } = message;
    const bytes = new Uint8Array(HEADER_LENGTH + payload.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, request, true);
    view.setUint32(4, needsReply ? 9 : 1, true);
    view.setUint32(8, payload.length, true);
    bytes.set(payload, HEADER_LENGTH);
    this.sendBytes(bytes, files);
  }

  /** Sends anything. */
  sendBytes(bytes: Uint8Array, files: readonly number[] = []): void {
    const control = 16 + 4 * files.length;
    const memory = new Uint8Array(new ArrayBuffer(2048 + bytes.length));
    const view = new DataView(memory.buffer);
    const address = this.#koffi.address(memory);
    memory.set(bytes, 2048);
    // struct msghdr at 0, its struct iovec at 56, struct cmsghdr at 72.
    view.setBigUint64(16, address + 56n, true);
    view.setBigUint64(24, 1n, true);
    view.setBigUint64(56, address + 2048n, true);
    view.setBigUint64(64, BigInt(bytes.length), true);
    if (files.length > 0) {
      view.setBigUint64(32, address + 72n, true);
      view.setBigUint64(40, BigInt((control + 7) & ~7), true);
      view.setBigUint64(72, BigInt(control), true);
      view.setInt32(80, LINUX.SOL_SOCKET, true);
      view.setInt32(84, LINUX.SCM_RIGHTS, true);
      for (const [i, file] of files.entries()) view.setInt32(88 + 4 * i, file, true);
    }
    const sendmsg = this.#koffi
      .load(null)
      .func("long sendmsg(int fd, const void *header, int flags)") as (
      fd: number,
      header: Uint8Array,
      flags: number,
    ) => number;
    if (sendmsg(this.#socket, memory, 0) !== bytes.length) throw new Error("Cannot send");
  }

  /** The number that answers a message; `undefined` when the other side has closed the connection. */
  async answer(): Promise<bigint | undefined> {
    await new Promise<void>((resolve) => {
      const stop = watchReadable(this.#koffi, this.#socket, () => {
        stop();
        resolve();
      });
    });
    const bytes = new Uint8Array(new ArrayBuffer(HEADER_LENGTH + 8));
    const length = libcOf(this.#koffi).read(this.#socket, bytes, bytes.length);
    if (length <= 0) return undefined;
    return new DataView(bytes.buffer).getBigUint64(HEADER_LENGTH, true);
  }

  /** Is gone, as a virtual machine that ends: the connection and all files are closed, its memory is unmapped. */
  close(): void {
    closeSync(this.#socket);
    for (const file of this.#files) closeSync(file);
    for (const unmap of this.#unmap) unmap();
    rmSync(this.#directory, { recursive: true });
  }
}
