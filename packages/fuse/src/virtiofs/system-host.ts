import { readlinkSync } from "node:fs";
import type { Koffi } from "../native/koffi.js";
import { LINUX, libcOf } from "../native/libc.js";
import { watchReadable } from "../native/watch-readable.js";
import type { DeviceHost, Signal } from "./device-host.js";
import { mapRegion } from "./map-region.js";
import { VirtiofsError } from "./virtiofs-error.js";

/** What eventfd(2) is read and written by: a number of 64 bits. */
const EVENT_LENGTH = 8;

/** The system as a device needs it. */
export function systemHost(koffi: Koffi): DeviceHost {
  return {
    map: (file, placement) => mapRegion(koffi, file, placement),
    watch: (file, onKick) => watchEvents(koffi, file, onKick),
    signal: (file) => openSignal(koffi, file),
    close: (file) => void libcOf(koffi).close(file),
    later: (task) => void setImmediate(task),
  };
}

function watchEvents(koffi: Koffi, file: number, onKick: () => void): { close(): void } {
  const libc = libcOf(koffi);
  const count = new Uint8Array(new ArrayBuffer(EVENT_LENGTH));
  checkEvent(file);
  makeNonBlocking(koffi, file);
  const stop = watchReadable(koffi, file, () => {
    if (libc.read(file, count, EVENT_LENGTH) === EVENT_LENGTH) onKick();
  });
  return {
    close: () => {
      stop();
      libc.close(file);
    },
  };
}

// To watch what cannot be watched, as a file on disk, ends the process; what is at its end is readable for ever.
function checkEvent(file: number): void {
  if (readlinkSync(`/proc/self/fd/${file}`) === "anon_inode:[eventfd]") return;
  throw new VirtiofsError("message", "Cannot wait for kicks: the file is no eventfd");
}

function openSignal(koffi: Koffi, file: number): Signal {
  const libc = libcOf(koffi);
  const one = new Uint8Array(new ArrayBuffer(EVENT_LENGTH));
  one[0] = 1;
  makeNonBlocking(koffi, file);
  return {
    raise: () => void libc.write(file, one, EVENT_LENGTH),
    close: () => void libc.close(file),
  };
}

// The front-end might have given a file that blocks, and with it everything here.
function makeNonBlocking(koffi: Koffi, file: number): void {
  const libc = libcOf(koffi);
  const flags = libc.fcntl(file, LINUX.F_GETFL, 0);
  if ((flags & LINUX.O_NONBLOCK) !== 0) return;
  libc.fcntl(file, LINUX.F_SETFL, flags | LINUX.O_NONBLOCK);
}
