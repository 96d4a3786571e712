import { describe, expect, it } from "vitest";
import { type CpuProfile, summarizeThread } from "./cpu-profile.js";

function node(id: number, functionName: string, url = "") {
  return { id, callFrame: { functionName, url, lineNumber: 0 } };
}

const lastPart = (url: string): string => url.split("/").at(-1) ?? "";

const PROFILE: CpuProfile = {
  nodes: [
    node(1, "(root)"),
    node(2, "(idle)"),
    node(3, "compress", "file:///x/dist/localstore/compression.js"),
    node(4, "", "file:///x/dist/localstore/encoder-thread.js"),
    node(5, "compress", "file:///x/dist/localstore/compression.js"),
    node(6, "(garbage collector)"),
  ],
  startTime: 1_000,
  endTime: 101_000,
  samples: [2, 3, 4, 5, 6, 2],
  timeDeltas: [40_000, 10_000, 5_000, 20_000, 4_000, 21_000],
};

describe("summarizeThread()", () => {
  it("adds up the time of a function wherever it was called, longest first", () => {
    expect(summarizeThread(PROFILE, 1, lastPart).functions).toEqual([
      { name: "compress (compression.js)", milliseconds: 30 },
      { name: "(anonymous) (encoder-thread.js)", milliseconds: 5 },
      { name: "(garbage collector)", milliseconds: 4 },
    ]);
  });

  it("does not count waiting as work", () => {
    expect(summarizeThread(PROFILE, 1, lastPart)).toMatchObject({
      lifeMilliseconds: 100,
      busyMilliseconds: 39,
    });
  });

  it("names a worker after its module, whatever else it loaded, and the first thread main", () => {
    expect(summarizeThread(PROFILE, 2, lastPart).name).toBe("encoder");
    expect(summarizeThread(PROFILE, 0, lastPart).name).toBe("main");
    const bare = { ...PROFILE, nodes: PROFILE.nodes.filter(({ id }) => id !== 4) };
    expect(summarizeThread(bare, 2, lastPart).name).toBe("worker");
  });
});
