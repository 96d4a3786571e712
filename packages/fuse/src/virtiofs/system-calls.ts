import type { Koffi } from "../native/koffi.js";

/**
 * Calls of the C library that only virtio-fs needs. Each returns -1 where it failed, and `errno` tells why.
 * Addresses are numbers: those of 64 bits that are too large for a number are big ones.
 */
export interface SystemCalls {
  socket(domain: number, type: number, protocol: number): number;
  /** @param address - a `struct sockaddr_un` */
  bind(fd: number, address: Uint8Array, length: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  listen(fd: number, backlog: number): number;
  /** Does not ask who connects. */
  accept4(fd: number, address: null, length: null, flags: number): number;
  mmap(
    address: number,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): number | bigint;
  munmap(address: bigint, length: number): number;
}

/** Values of Linux that these calls take; the same on all architectures that are supported. */
export const VIRTIOFS_LINUX = {
  // linux/mman.h
  PROT_READ_WRITE: 3,
  MAP_SHARED: 0x01,
  MAP_NORESERVE: 0x4000,
  // asm-generic/errno.h
  EINVAL: 22,
  EADDRINUSE: 98,
  ECONNREFUSED: 111,
  /** Bytes of a path in `struct sockaddr_un`, with the zero byte at its end. */
  SUN_PATH_LENGTH: 108,
} as const;

const loaded = new WeakMap<Koffi, SystemCalls>();

/** The calls, declared once. */
export function systemCallsOf(koffi: Koffi): SystemCalls {
  let calls = loaded.get(koffi);
  if (calls === undefined) {
    calls = declare(koffi);
    loaded.set(koffi, calls);
  }
  return calls;
}

function declare(koffi: Koffi): SystemCalls {
  const library = koffi.load(null);
  const declarations = {
    socket: "int socket(int domain, int type, int protocol)",
    bind: "int bind(int fd, const void *address, uint32_t length)",
    connect: "int connect(int fd, const void *address, uint32_t length)",
    listen: "int listen(int fd, int backlog)",
    accept4: "int accept4(int fd, void *address, void *length, int flags)",
    mmap: "int64_t mmap(uint64_t address, size_t length, int protection, int flags, int fd, int64_t offset)",
    munmap: "int munmap(uint64_t address, size_t length)",
  };
  const functions = Object.entries(declarations).map(([name, text]) => [name, library.func(text)]);
  return Object.fromEntries(functions) as SystemCalls;
}
