import { createRequire } from "node:module";
import { FuseError } from "../errors.js";

/** The part of the package `koffi` that is used here. Pointers are numbers of 64 bits. */
export interface Koffi {
  /** A library; `null` for what is loaded already, the C library among it. */
  load(library: null): KoffiLibrary;
  /** `errno` as the last call of this thread left it. */
  errno(): number;
  /**
   * Where memory begins. Memory of an `ArrayBuffer` does not move while it is reachable; that of a small
   * array that has never been asked for its `buffer` may.
   */
  address(memory: Uint8Array): bigint;
  /** Foreign memory as a buffer, less than 4 GiB of it. It is not to be touched after it is given back. */
  view(pointer: bigint, length: number): ArrayBuffer;
  readonly node: {
    /** Calls `callback` from the event loop, with a negative error number or 0, see {@link watchReadable}. */
    poll(
      fd: number,
      events: { readonly readable: boolean; readonly disconnect: boolean },
      callback: (status: number) => void,
    ): { close(): void };
  };
}

/** A loaded library of C. */
interface KoffiLibrary {
  /** A function of it by its declaration in C. Called as `.async` it runs on a thread of its own. */
  func(declaration: string): unknown;
}

let loaded: { readonly koffi: Koffi | undefined } | undefined;

/**
 * The optional package that calls into the C library, loaded when it is first asked for; `undefined`
 * where it is not installed or does not run. Structures are those of Linux with pointers of 64 bits and the
 * lower byte first, so other platforms have none either.
 */
export function loadKoffi(): Koffi | undefined {
  loaded ??= { koffi: load() };
  return loaded.koffi;
}

/**
 * Like {@link loadKoffi}, for what cannot be done without.
 *
 * @param purpose - what cannot be, as the beginning of a sentence: `Cannot mount as a user`
 * @throws {@link FuseError} with code "UNSUPPORTED" where there is none
 */
export function requireKoffi(purpose: string): Koffi {
  const koffi = loadKoffi();
  if (koffi !== undefined) return koffi;
  throw new FuseError(
    "UNSUPPORTED",
    `${purpose}: the optional package koffi is not installed, or does not run on ${process.platform} ${process.arch}`,
  );
}

function load(): Koffi | undefined {
  const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  const has64Bits = ["x64", "arm64", "riscv64"].includes(process.arch);
  if (process.platform !== "linux" || !isLittleEndian || !has64Bits) return undefined;
  try {
    return createRequire(import.meta.url)("koffi") as Koffi;
  } catch {
    // Not installed, or not made for this platform. Who needs it says so.
    return undefined;
  }
}
