import fs from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toLatin1, toUtf8 } from "../bytes.js";
import { blake3 } from "../hasher/blake3.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { LocalStore } from "./local-store.js";
import { decodeNamedValue } from "./named-values.js";

describe("LocalNamedValues", () => {
  const scratch = scratchDirectory();

  it("gives back the last value of a name, also after the index was made again", async () => {
    const store = await LocalStore.open(scratch("again"));
    const values = store.named("build-log");
    expect(await values.get("a.drv")).toBeUndefined();
    await values.put("a.drv", toUtf8("first"));
    await values.put("a.drv", toUtf8("second"));
    await values.put("", new Uint8Array(0));
    await store.named("other").put("a.drv", toUtf8("elsewhere"));
    await store.close();
    fs.rmSync(scratch("again/meta.sqlite"));

    const again = await LocalStore.open(scratch("again"));
    await again.holdForWriting();
    expect(await again.named("build-log").get("a.drv")).toEqual(toUtf8("second"));
    expect(await again.named("other").get("a.drv")).toEqual(toUtf8("elsewhere"));
    expect(await again.named("build-log").get("")).toEqual(new Uint8Array(0));
    expect(await again.named("build-log").get("b.drv")).toBeUndefined();
    const findings = [];
    for await (const finding of again.check()) findings.push(finding);
    expect(findings).toEqual([]);
    await again.close();
  });

  it("keeps spaces and names apart whatever they are made of", async () => {
    const store = await LocalStore.open(scratch("apart"));
    await store.named("a").put("bc", toUtf8("1"));
    await store.named("ab").put("c", toUtf8("2"));
    expect(await store.named("a").get("bc")).toEqual(toUtf8("1"));
    expect(await store.named("ab").get("c")).toEqual(toUtf8("2"));
    await store.close();
  });

  it("loses nothing when many change one value at a time", async () => {
    const store = await LocalStore.open(scratch("many"));
    const letters = [..."abcdefghij"];
    const append = (space: string, letter: string) =>
      store
        .named(space)
        .update("name", (known) => toUtf8(toLatin1(known ?? new Uint8Array(0)) + letter));
    await Promise.all(letters.flatMap((x) => [append("one", x), append("two", x)]));
    for (const space of ["one", "two"]) {
      expect(await store.named(space).get("name")).toEqual(toUtf8(letters.join("")));
    }
    await store.named("one").update("name", () => undefined);
    expect(await store.named("one").get("name")).toEqual(toUtf8(letters.join("")));
    const failing = store.named("one").update("name", () => {
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    await store.close();
  });

  it("refuses names that are too long", async () => {
    const store = await LocalStore.open(scratch("long"));
    const longest = "x".repeat(65_535);
    await store.named("a").put(longest, toUtf8("1"));
    expect(await store.named("a").get(longest)).toEqual(toUtf8("1"));
    await expect(store.named("a").get(`${longest}x`)).rejects.toThrow(RangeError);
    await expect(store.named("x".repeat(256)).put("", toUtf8("1"))).rejects.toThrow(RangeError);
    await store.close();
  });
});

describe("decodeNamedValue()", () => {
  const head = Uint8Array.of(1, 2, 0, 0x61, 0x62, 0x63);
  const key = blake3(head).toBytes();

  it("reads the value behind the name", () => {
    expect(decodeNamedValue(Uint8Array.of(...head, 7, 8), key)).toEqual(Uint8Array.of(7, 8));
  });

  it("refuses every payload that another name or none stands in", () => {
    const bytes = fc.uint8Array({ maxLength: 12 });
    fc.assert(
      fc.property(bytes, (payload) => {
        expect(() => decodeNamedValue(payload, key)).toThrow(
          expect.objectContaining({ code: "CORRUPT" }),
        );
      }),
      { seed: 5, numRuns: 500 },
    );
  });
});
