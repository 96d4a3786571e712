import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { RunHost } from "../run-host.js";
import type { Scratch } from "../scratch.js";
import type { CacheSizes } from "./sizes.js";

/** What all parts of a run work with. */
export interface Session {
  readonly scratch: Scratch;
  readonly host: RunHost;
  readonly runs: number;
  readonly sizes: CacheSizes;
}

/** Removes what is there, and makes an empty folder of that name. */
export function freshFolder({ scratch }: Session, name: string): string {
  const folder = join(scratch.folder, name);
  scratch.remove(folder);
  mkdirSync(folder, { recursive: true });
  return folder;
}
