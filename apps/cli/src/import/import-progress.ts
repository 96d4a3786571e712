import type { IngestProgress } from "@tvix/castore/fs";
import { formatBytes, formatSeconds, plural } from "../format/quantities.js";
import type { Progress } from "../io/progress.js";
import type { TreeSize } from "./tree-size.js";

/** Until then nobody can say how long it takes. */
const MIN_ELAPSED_SECONDS = 1;

/** What a file costs besides its bytes, in bytes: opening it takes about as long as reading these. */
const FILE_COST_BYTES = 16 * 1024;

/** Shows how far an import of several paths has come. */
export class ImportProgress {
  readonly #line: Progress;
  readonly #now: () => number;
  readonly #started: number;
  #finished: IngestProgress = { entries: 0, files: 0, bytes: 0 };
  #expected: TreeSize | undefined;

  /** @param now - milliseconds of a clock that never goes back */
  constructor(line: Progress, now: () => number = () => performance.now()) {
    this.#line = line;
    this.#now = now;
    this.#started = now();
  }

  /** Tells how much there is in all, once that is known. */
  expect(size: TreeSize): void {
    this.#expected = size;
  }

  /** Tells how far the path at work has come. */
  update(current: IngestProgress): void {
    this.#line.update(() => this.#render(add(this.#finished, current)));
  }

  /** Tells that a path is done. */
  finish(path: IngestProgress): void {
    this.#finished = add(this.#finished, path);
  }

  /** All paths that are done. */
  get finished(): IngestProgress {
    return this.#finished;
  }

  #render(done: IngestProgress): string {
    const seconds = (this.#now() - this.#started) / 1000;
    const rate = seconds > 0 ? `, ${formatBytes(Math.round(done.bytes / seconds))}/s` : "";
    const left = this.#secondsLeft(done, seconds);
    const end = left === undefined ? "" : `, ${formatSeconds(left)} left`;
    return `${plural(done.files, "file")}, ${formatBytes(done.bytes)}${rate}${end}`;
  }

  #secondsLeft(done: IngestProgress, elapsed: number): number | undefined {
    if (this.#expected === undefined || elapsed < MIN_ELAPSED_SECONDS) return undefined;
    const share = cost(done) / cost(this.#expected);
    // The tree may have grown since it was counted.
    return share > 0 && share < 1 ? (elapsed / share) * (1 - share) : undefined;
  }
}

function cost({ entries, bytes }: TreeSize): number {
  return bytes + entries * FILE_COST_BYTES;
}

function add(a: IngestProgress, b: IngestProgress): IngestProgress {
  return { entries: a.entries + b.entries, files: a.files + b.files, bytes: a.bytes + b.bytes };
}
