import { concatBytes } from "@tvix/castore";
import { seededBytes } from "@tvix/castore/testing";
import { afterEach, describe, expect, it, vi } from "vitest";
import { packNar } from "../testing/cache-server.js";
import { cut } from "../testing/nar-strings.js";
import { readBzip2 } from "./bzip2.js";
import { CompressionError } from "./compression-error.js";

/** The program to run as the thread, in place of the real one. */
const program = vi.hoisted(() => ({ url: undefined as URL | undefined }));

vi.mock(import("./worker-url.js"), async (importOriginal) => {
  const { workerUrl } = await importOriginal();
  return { workerUrl: (name, base) => program.url ?? workerUrl(name, base) };
});

afterEach(() => {
  program.url = undefined;
});

/** Three blocks. */
const PLAIN = concatBytes([seededBytes(5, 1_500_000), new Uint8Array(2_000_000)]);
const FILE = packNar(PLAIN, "bzip2").file;

/** `new Worker` throws, as it does when the system has no thread to give. */
const REFUSED = new URL("http://localhost/");
const THROWING = new URL("data:text/javascript,throw new Error('no memory')");
const DYING = new URL(
  `data:text/javascript,${encodeURIComponent(
    'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => process.exit(3));',
  )}`,
);

async function* pieces(length: number): AsyncGenerator<Uint8Array> {
  yield* cut(FILE, length);
}

/** Counts the turns of the event loop, each of which could have answered somebody. */
class Turns implements Disposable {
  count = 0;
  #next: NodeJS.Immediate;

  constructor() {
    const turn = (): void => {
      this.count++;
      this.#next = setImmediate(turn);
    };
    this.#next = setImmediate(turn);
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#next);
  }
}

/** What comes out, and the turns that have passed before each piece. */
async function read(): Promise<{ bytes: Uint8Array; turns: readonly number[] }> {
  using turns = new Turns();
  const [chunks, counts]: [Uint8Array[], number[]] = [[], []];
  for await (const chunk of readBzip2(pieces(64 * 1024))) {
    chunks.push(chunk);
    counts.push(turns.count);
  }
  return { bytes: concatBytes(chunks), turns: counts };
}

/** Before each piece, the turns since the last. */
function gaps(turns: readonly number[]): readonly number[] {
  return turns.map((count, i) => count - (turns[i - 1] ?? 0));
}

describe("readBzip2()", () => {
  it("lets others run all the while that a block is decompressed", async () => {
    const { bytes, turns } = await read();
    expect(Buffer.compare(bytes, PLAIN)).toBe(0);
    expect(turns.length).toBeGreaterThan(1);
    // A block takes as long as very many turns; done here, it would take one.
    for (const gap of gaps(turns)) expect(gap).toBeGreaterThan(10);
  });

  it("decompresses several files at once", async () => {
    const all = await Promise.all([read(), read(), read()]);
    for (const { bytes } of all) expect(Buffer.compare(bytes, PLAIN)).toBe(0);
  });
});

describe.each([
  ["cannot be made", REFUSED],
  ["fails at once", THROWING],
  ["ends at work", DYING],
])("readBzip2() where its thread %s", (_, url) => {
  it("gives the same, and lets others run between blocks", async () => {
    vi.resetModules();
    program.url = url;
    const fresh = await import("./bzip2.js");
    using turns = new Turns();
    const chunks: Uint8Array[] = [];
    let seen = 0;
    for await (const chunk of fresh.readBzip2(pieces(64 * 1024))) {
      chunks.push(chunk);
      expect(turns.count).toBeGreaterThan(seen);
      seen = turns.count;
    }
    expect(Buffer.compare(concatBytes(chunks), PLAIN)).toBe(0);
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield FILE.subarray(0, 700_000);
    }
    const reading = (async () => {
      for await (const chunk of fresh.readBzip2(broken())) chunks.push(chunk);
    })();
    await expect(reading).rejects.toMatchObject({ name: CompressionError.name });
  });
});
