import type { Koffi } from "./koffi.js";

/**
 * Calls of the C library. Each returns -1 where it failed, and {@link errno} tells why. None of them blocks on
 * a descriptor that is non-blocking. Memory that is handed over belongs to an `ArrayBuffer` of its own.
 */
export interface Libc {
  /** Reads at most `length` bytes into `buffer`. @returns how many, 0 at the end */
  read(fd: number, buffer: Uint8Array, length: number): number;
  /** Writes `length` bytes. @returns how many were written */
  write(fd: number, bytes: Uint8Array, length: number): number;
  close(fd: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  /** @param pair - takes the two descriptors */
  socketpair(domain: number, type: number, protocol: number, pair: Int32Array): number;
  /** @param header - a `struct msghdr` */
  recvmsg: AsyncCall<(fd: number, header: Uint8Array, flags: number) => number>;
  /** Why the last call of this thread failed, as in errno.h. */
  errno(): number;
}

/** A call that can run on a thread of its own, as long as it takes. */
type AsyncCall<F extends (...args: never[]) => number> = F & {
  /** `errno` of that thread cannot be asked for. */
  readonly async: (...args: [...Parameters<F>, (error: unknown, result: number) => void]) => void;
};

/** Values of Linux that calls take; the same on all architectures that are supported. */
export const LINUX = {
  // asm-generic/errno-base.h, errno.h
  ENOENT: 2,
  EINTR: 4,
  EAGAIN: 11,
  EBUSY: 16,
  ENODEV: 19,
  ECONNABORTED: 103,
  // asm-generic/fcntl.h
  F_GETFL: 3,
  F_SETFL: 4,
  O_NONBLOCK: 0o4000,
  // linux/socket.h, bits/socket.h
  AF_UNIX: 1,
  SOCK_STREAM: 1,
  SOCK_CLOEXEC: 0o2000000,
  SOL_SOCKET: 1,
  SCM_RIGHTS: 1,
  MSG_CTRUNC: 0x8,
  MSG_CMSG_CLOEXEC: 0x40000000,
} as const;

const loaded = new WeakMap<Koffi, Libc>();

/** The calls, declared once. */
export function libcOf(koffi: Koffi): Libc {
  let libc = loaded.get(koffi);
  if (libc === undefined) {
    libc = declare(koffi);
    loaded.set(koffi, libc);
  }
  return libc;
}

// `long` stands for ssize_t, which koffi does not know.
function declare(koffi: Koffi): Libc {
  const library = koffi.load(null);
  return {
    read: library.func("long read(int fd, void *buffer, size_t length)") as Libc["read"],
    write: library.func("long write(int fd, const void *bytes, size_t length)") as Libc["write"],
    close: library.func("int close(int fd)") as Libc["close"],
    // In C it takes any number of arguments; for one number the call is the same.
    fcntl: library.func("int fcntl(int fd, int command, int argument)") as Libc["fcntl"],
    socketpair: library.func(
      "int socketpair(int domain, int type, int protocol, int *pair)",
    ) as Libc["socketpair"],
    recvmsg: library.func("long recvmsg(int fd, void *header, int flags)") as Libc["recvmsg"],
    errno: () => koffi.errno(),
  };
}
