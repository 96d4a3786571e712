import { concatBytes } from "@tvix/castore";
import { seededBytes } from "@tvix/castore/testing";
import { describe, expect, it } from "vitest";
import { sha256 } from "../sha256/sha256.js";
import { cut } from "../testing/nar-strings.js";
import { verifiedNar } from "./verified-nar.js";

const NAR = seededBytes(20_261_121, 10_000);
const STATED = { narSha256: sha256(NAR), narSize: BigInt(NAR.byteLength) };

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield* cut(bytes, 999);
}

describe("verifiedNar()", () => {
  it("passes on what is as stated", async () => {
    const passed: Uint8Array[] = [];
    for await (const bytes of verifiedNar(pieces(NAR), STATED)) passed.push(bytes);
    expect(concatBytes(passed)).toEqual(NAR);
  });

  it.each([
    ["has another byte", NAR.with(9999, (NAR.at(9999) ?? 0) ^ 1)],
    ["is shorter", NAR.subarray(1)],
    ["is longer", concatBytes([NAR, Uint8Array.of(0)])],
    ["is empty", new Uint8Array(0)],
  ])("never gives all of what %s", async (_, nar) => {
    let length = 0;
    const reading = async (): Promise<void> => {
      for await (const bytes of verifiedNar(pieces(nar), STATED)) length += bytes.byteLength;
    };
    await expect(reading()).rejects.toMatchObject({ name: "StoreError", code: "CORRUPT" });
    expect(length).toBeLessThan(NAR.byteLength);
  });
});
