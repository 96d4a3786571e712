import { FuseError } from "../errors.js";
import type { Koffi } from "./koffi.js";
import { LINUX, type Libc, libcOf } from "./libc.js";

/** Bytes from a socket, and the open files that came with them. */
export interface ReceivedMessage {
  /** None at the end of the stream. A view of the receiver's memory, valid until it receives again. */
  readonly bytes: Uint8Array;
  /** Descriptors, which belong to the caller from now on; they are closed on exec. */
  readonly descriptors: readonly number[];
}

/** How much a {@link MessageReceiver} takes at once. */
export interface MessageReceiverLimits {
  readonly maxBytes: number;
  /** The kernel itself sends 253 at most (SCM_MAX_FD). */
  readonly maxDescriptors: number;
}

/**
 * Where things are, in bytes, in the one piece of memory that a call gets: `struct msghdr`, its only
 * `struct iovec`, then `struct cmsghdr` with descriptors, then the bytes (linux/socket.h, linux/uio.h; pointers
 * of 64 bits, the lower byte first).
 */
const AT = {
  msgIov: 16,
  msgIovLength: 24,
  msgControl: 32,
  msgControlLength: 40,
  msgFlags: 48,
  iovBase: 56,
  iovLength: 64,
  control: 72,
} as const;

/** Length of `struct cmsghdr`: length, level, type. */
const CONTROL_HEADER_LENGTH = 16;

/** Receives bytes and open files from Unix sockets (recvmsg(2) with SCM_RIGHTS). One call at a time. */
export class MessageReceiver {
  readonly #libc: Libc;
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  readonly #address: bigint;
  readonly #controlLength: number;
  readonly #bytesAt: number;

  constructor(koffi: Koffi, { maxBytes, maxDescriptors }: MessageReceiverLimits) {
    this.#libc = libcOf(koffi);
    // Not a byte more, or the kernel would fit in another descriptor.
    this.#controlLength = CONTROL_HEADER_LENGTH + 4 * maxDescriptors;
    this.#bytesAt = AT.control + align8(this.#controlLength);
    const buffer = new ArrayBuffer(this.#bytesAt + maxBytes);
    this.#memory = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#address = koffi.address(this.#memory);
  }

  /**
   * Receives what is there now, from a non-blocking socket.
   *
   * @param maxBytes - at most that of the limits
   * @returns `undefined` when nothing is there (EAGAIN, EINTR)
   * @throws {@link FuseError} when the call fails, or more descriptors come than are allowed
   */
  receive(fd: number, maxBytes: number): ReceivedMessage | undefined {
    this.#prepare(maxBytes);
    const length = this.#libc.recvmsg(fd, this.#memory, LINUX.MSG_CMSG_CLOEXEC);
    if (length >= 0) return this.#received(length);
    const errno = this.#libc.errno();
    if (errno === LINUX.EAGAIN || errno === LINUX.EINTR) return undefined;
    throw new FuseError("SYSTEM", `Cannot receive from socket ${fd}: errno ${errno}`);
  }

  /**
   * Waits for a message on a thread of its own, on a blocking socket.
   *
   * @throws {@link FuseError} as {@link receive}
   */
  async receiveAsync(fd: number, maxBytes: number): Promise<ReceivedMessage> {
    this.#prepare(maxBytes);
    const length = await new Promise<number>((settle, reject) => {
      this.#libc.recvmsg.async(fd, this.#memory, LINUX.MSG_CMSG_CLOEXEC, (error, result) => {
        if (error) reject(error);
        else settle(result);
      });
    });
    if (length < 0) throw new FuseError("SYSTEM", `Cannot receive from socket ${fd}`);
    return this.#received(length);
  }

  #prepare(maxBytes: number): void {
    if (!(maxBytes >= 0 && maxBytes <= this.#memory.length - this.#bytesAt)) {
      throw new RangeError(`Cannot receive ${maxBytes} bytes: there is no room for them`);
    }
    this.#memory.fill(0, 0, this.#bytesAt);
    this.#setWord(AT.msgIov, this.#address + BigInt(AT.iovBase));
    this.#setWord(AT.msgIovLength, 1n);
    this.#setWord(AT.msgControl, this.#address + BigInt(AT.control));
    this.#setWord(AT.msgControlLength, BigInt(this.#controlLength));
    this.#setWord(AT.iovBase, this.#address + BigInt(this.#bytesAt));
    this.#setWord(AT.iovLength, BigInt(maxBytes));
  }

  #setWord(offset: number, value: bigint): void {
    this.#view.setBigUint64(offset, value, true);
  }

  #received(length: number): ReceivedMessage {
    const descriptors = this.#descriptors();
    if ((this.#view.getInt32(AT.msgFlags, true) & LINUX.MSG_CTRUNC) !== 0) {
      for (const descriptor of descriptors) this.#libc.close(descriptor);
      throw new FuseError("SYSTEM", "Cannot receive a message: it has too many descriptors");
    }
    return {
      bytes: this.#memory.subarray(this.#bytesAt, this.#bytesAt + length),
      descriptors,
    };
  }

  /** All descriptors of all control messages, which the kernel has written. */
  #descriptors(): number[] {
    const found: number[] = [];
    // The C library may use 32 of these 64 bits; the others are zero.
    const end = AT.control + Number(this.#view.getBigUint64(AT.msgControlLength, true));
    let at: number = AT.control;
    while (at + CONTROL_HEADER_LENGTH <= end) {
      const length = Number(this.#view.getBigUint64(at, true));
      if (length < CONTROL_HEADER_LENGTH || at + length > end) break;
      const level = this.#view.getInt32(at + 8, true);
      const type = this.#view.getInt32(at + 12, true);
      if (level === LINUX.SOL_SOCKET && type === LINUX.SCM_RIGHTS) {
        for (let i = at + CONTROL_HEADER_LENGTH; i + 4 <= at + length; i += 4) {
          found.push(this.#view.getInt32(i, true));
        }
      }
      at += align8(length);
    }
    return found;
  }
}

function align8(length: number): number {
  return (length + 7) & ~7;
}
