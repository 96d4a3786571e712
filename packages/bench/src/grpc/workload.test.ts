import { describe, expect, it } from "vitest";
import { inParallel, parseResult, parseTask, pieces } from "./workload.js";

const TASK = {
  side: "tvix",
  address: "127.0.0.1:1",
  digest: "00",
  warmDigest: "01",
  contents: "",
  warmContents: "",
  workload: { kind: "read", bytes: 1 },
};

describe("parseTask()", () => {
  it("reads what a task is written as", () => {
    expect(parseTask(JSON.stringify(TASK))).toEqual(TASK);
  });

  it.each([
    { json: undefined },
    { json: "{" },
    { json: "7" },
    { json: JSON.stringify({ ...TASK, address: 1 }) },
    { json: JSON.stringify({ ...TASK, workload: undefined }) },
  ])("refuses $json", ({ json }) => {
    expect(() => parseTask(json)).toThrow(/^Cannot read the task of a client/);
  });
});

describe("parseResult()", () => {
  it("reads the seconds", () => {
    expect(parseResult('{"seconds":1.5}\n')).toEqual({ seconds: 1.5 });
  });

  it.each(["", "{}", '{"seconds":0}', '{"seconds":"1"}', '{"seconds":1}x'])(
    "refuses %j",
    (printed) => {
      expect(() => parseResult(printed)).toThrow(/^Cannot read the result of a client/);
    },
  );
});

describe("pieces()", () => {
  it("are views that make up the contents", () => {
    const contents = Uint8Array.of(1, 2, 3, 4, 5);
    const cut = [...pieces(contents, 2)];
    expect(cut).toEqual([Uint8Array.of(1, 2), Uint8Array.of(3, 4), Uint8Array.of(5)]);
    expect(cut.every(({ buffer }) => buffer === contents.buffer)).toBe(true);
  });
});

describe("inParallel()", () => {
  it("works on each item once, on no more than told at a time", async () => {
    const seen: number[] = [];
    let running = 0;
    let most = 0;
    await inParallel([1, 2, 3, 4, 5], 2, async (item) => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      seen.push(item);
      running--;
    });
    expect(seen.sort()).toEqual([1, 2, 3, 4, 5]);
    expect(most).toBe(2);
  });

  it("fails with the first that fails", async () => {
    const work = inParallel([1, 2, 3], 2, async (item) => {
      if (item === 2) throw new Error("two");
    });
    await expect(work).rejects.toThrow("two");
  });
});
