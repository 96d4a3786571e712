import { describe, expect, it } from "vitest";
import { MemoryBlobService } from "../blobservice/memory.js";
import { blake3 } from "../hasher/blake3.js";
import { blobServiceSuite } from "../testing/blob-service-suite.js";
import { ChunkingBlobService } from "../testing/chunking-blob-service.js";
import { Faults, FaultyBlobService } from "../testing/faulty-services.js";
import { seededBytes } from "../testing/seeded-random.js";
import { collect, piecesOf, WatchedSource } from "../testing/sources.js";
import { LimitedBlobService } from "./limited-blob-service.js";

const BYTES = seededBytes(1, 1_000_000);
const DIGEST = blake3(BYTES);

blobServiceSuite(
  "limited to four calls and little memory",
  async () => ({
    service: new LimitedBlobService(new ChunkingBlobService(65_536), {
      maxCalls: 4,
      maxBytesInFlight: 100_000,
    }),
  }),
  { chunking: true },
);

/** Lets promises that can settle do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function limited(maxCalls: number) {
  const inner = new MemoryBlobService();
  await inner.put([BYTES]);
  const faults = new Faults();
  const service = new LimitedBlobService(new FaultyBlobService(inner, faults), { maxCalls });
  return { faults, service };
}

describe("LimitedBlobService", () => {
  it("lets so many calls through at a time, and gives places back when they are aborted", async () => {
    const { faults, service } = await limited(2);
    faults.setAll("hanging");
    const controller = new AbortController();
    const { signal } = controller;
    const calls = [1, 2, 3, 4].map(() => service.has(DIGEST, { signal }));
    await settle();
    expect(faults.calls).toHaveLength(2);
    controller.abort("enough");
    for (const call of calls) await expect(call).rejects.toBe("enough");
    faults.clear();
    expect(await service.has(DIGEST)).toBe(true);
    expect(faults.calls).toHaveLength(3);
  });

  it("gives the place of a stream back at its end, when it is left, and when it fails", async () => {
    const { faults, service } = await limited(1);
    const reader = (await service.openRead(DIGEST)) ?? expect.fail("The blob is not there");
    for await (const _ of reader.stream()) break;
    faults.setAll("failing-late");
    await expect(collect(reader.stream())).rejects.toMatchObject({ code: "UNAVAILABLE" });
    faults.clear();
    const stream = reader.stream()[Symbol.asyncIterator]();
    await stream.next();
    const waiting = service.has(DIGEST);
    let isAnswered = false;
    const answered = waiting.then(() => {
      isAnswered = true;
    });
    await settle();
    expect(isAnswered).toBe(false);
    await stream.return?.();
    await answered;
    expect(isAnswered).toBe(true);
  });

  it("holds back pieces of uploads that are too many bytes together", async () => {
    const held: number[] = [];
    let inFlight = 0;
    const inner = new MemoryBlobService();
    const slow = Object.assign(Object.create(inner), {
      put: async (source: AsyncIterable<Uint8Array>) => {
        for await (const { byteLength } of source) {
          inFlight += byteLength;
          held.push(inFlight);
          await settle();
          inFlight -= byteLength;
        }
        return DIGEST;
      },
    });
    const service = new LimitedBlobService(slow, { maxBytesInFlight: 250_000 });
    const puts = [1, 2, 3, 4, 5].map(() => service.put(piecesOf(BYTES, 100_000)));
    await Promise.all(puts);
    expect(held).toHaveLength(50);
    expect(Math.max(...held)).toBe(200_000);
  });

  it("closes a source whose turn never comes", async () => {
    const { faults, service } = await limited(1);
    faults.setAll("hanging");
    const controller = new AbortController();
    const first = service.has(DIGEST, { signal: controller.signal });
    const source = new WatchedSource([BYTES]);
    const put = service.put(source, { signal: controller.signal });
    controller.abort("enough");
    await expect(first).rejects.toBe("enough");
    await expect(put).rejects.toBe("enough");
    expect([source.pulled, source.released]).toEqual([0, true]);
  });

  it("has the calls for many that the service has", async () => {
    const calls: string[] = [];
    const inner = Object.assign(new MemoryBlobService(), {
      openMany: async () => {
        calls.push("openMany");
        return [BYTES, undefined];
      },
      fillMany: async () => {
        calls.push("fillMany");
        return [];
      },
    });
    const service = new LimitedBlobService(inner, { maxCalls: 1, maxBytesInFlight: 10 });
    const places = [{ digest: DIGEST, offset: 0, length: 100 }];
    expect(await service.openMany?.([DIGEST], { inlineBytes: 1 })).toEqual([BYTES, undefined]);
    expect(await service.fillMany?.(places, new SharedArrayBuffer(100))).toEqual([]);
    expect(calls).toEqual(["openMany", "fillMany"]);
    expect(new LimitedBlobService(new MemoryBlobService()).openMany).toBeUndefined();
  });
});
