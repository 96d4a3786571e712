import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import type { Tripwire } from "./kill-moment.js";

/** Longest time of an upload, in milliseconds: generous. One that takes longer hangs. */
const PATIENCE_MS = 30_000;

/** Something that a client uploads, again where that fails. */
export interface Upload {
  /** What it is and who uploads it. */
  readonly about: string;
  /** As the client gets to see it: nothing but this may come of a server that is gone. */
  readonly unavailable: object;
  /** How long it is, about. */
  readonly bytes: number;
  /** Uploads it; calls `onSent` for each part that the client has taken. */
  send(onSent: (bytes: number) => void): Promise<void>;
  /**
   * Reads it back and compares every byte.
   *
   * @returns whether all of it is there
   * @throws Error when anything else is there
   */
  isStored(): Promise<boolean>;
}

/** What calls of our clients reject with when there is no server. */
export const UNAVAILABLE: object = { code: "UNAVAILABLE", cause: { code: status.UNAVAILABLE } };

/** The same of `@grpc/grpc-js`. */
export const FOREIGN_UNAVAILABLE: object = { code: status.UNAVAILABLE };

interface Failure {
  readonly upload: Upload;
  readonly error: unknown;
  /** What of it had been taken until then. */
  readonly sentBytes: number;
}

/** What became of a round. */
export interface Round {
  readonly acknowledged: readonly Upload[];
  readonly failures: readonly Failure[];
}

/** Uploads it; fails when that comes to no end. */
export async function sendInTime(
  upload: Upload,
  onSent: (bytes: number) => void = () => {},
): Promise<void> {
  const ended = new AbortController();
  const late = delay(PATIENCE_MS, undefined, { signal: ended.signal }).then(() => {
    throw new Error(`${upload.about} has not ended after ${PATIENCE_MS} ms`);
  });
  try {
    await Promise.race([upload.send(onSent), late]);
  } finally {
    ended.abort();
  }
}

/** All clients at the same time: each uploads one thing after the other until something fails. */
export async function uploadAll(
  clients: readonly (readonly Upload[])[],
  tripwire: Tripwire,
): Promise<Round> {
  const acknowledged: Upload[] = [];
  const failures: Failure[] = [];
  const work = async (upload: Upload): Promise<boolean> => {
    let sentBytes = 0;
    try {
      await sendInTime(upload, (bytes) => {
        sentBytes += bytes;
        tripwire.count("bytes sent", bytes);
      });
    } catch (error) {
      failures.push({ upload, error, sentBytes });
      return false;
    }
    acknowledged.push(upload);
    tripwire.count("uploads acknowledged", 1);
    return true;
  };
  const workAll = async (uploads: readonly Upload[]): Promise<void> => {
    for (const upload of uploads) if (!(await work(upload))) return;
  };
  await Promise.all(clients.map(workAll));
  return { acknowledged, failures };
}
