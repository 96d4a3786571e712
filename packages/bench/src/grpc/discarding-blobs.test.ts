import { B3Digest } from "@tvix/castore";
import { describe, expect, it } from "vitest";
import { DiscardingBlobService, digestOfLength } from "./discarding-blobs.js";

describe("DiscardingBlobService", () => {
  it("gives out as many bytes as the digest says", async () => {
    const blobs = new DiscardingBlobService();
    const size = 2.5 * 1024 * 1024;
    const reader = await blobs.openRead(B3Digest.parse(digestOfLength(size).toString()));
    const lengths: number[] = [];
    for await (const piece of reader.stream()) lengths.push(piece.byteLength);
    expect(reader.size).toBe(size);
    expect(lengths).toEqual([1024 * 1024, 1024 * 1024, 512 * 1024]);
  });

  it("counts what it is given", async () => {
    const stored = await new DiscardingBlobService().put([new Uint8Array(3), new Uint8Array(4)]);
    expect(stored.equals(digestOfLength(7))).toBe(true);
  });
});
