import type { Koffi } from "./koffi.js";

/** Ends what {@link watchReadable} began. Again is a no-op. The descriptor stays open. */
export type StopWatching = () => void;

/**
 * Calls `onReadable` from the event loop whenever a descriptor has something to read, is at its end, or broke
 * (a read tells which), again and again until all is read. Keeps the process alive meanwhile.
 *
 * The descriptor is non-blocking, watched once at a time, and closed only after watching has ended.
 * What `onReadable` throws becomes an uncaught exception, as from any callback.
 */
export function watchReadable(koffi: Koffi, fd: number, onReadable: () => void): StopWatching {
  let isStopped = false;
  const handle = koffi.node.poll(fd, { readable: true, disconnect: true }, () => {
    if (isStopped) return;
    try {
      onReadable();
    } catch (error) {
      // Nobody would hear of it from here.
      setImmediate(() => {
        throw error;
      });
    }
  });
  return () => {
    if (isStopped) return;
    isStopped = true;
    handle.close();
  };
}
