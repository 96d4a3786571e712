import fs from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { compareBytes, toLatin1, toUtf8 } from "../bytes.js";
import { packFilesOf } from "../testing/sample-store.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { LocalStore, type LocalStoreOptions } from "./local-store.js";

const scratch = scratchDirectory();
const KEY = new Uint8Array(20).fill(1);

const opened: LocalStore[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

async function open(options: LocalStoreOptions = {}): Promise<LocalStore> {
  const store = await LocalStore.open(scratch("store"), options);
  opened.push(store);
  return store;
}

/** Adds a letter to the text that is there. */
function append(store: LocalStore, letter: string, key: Uint8Array = KEY): Promise<void> {
  return store.pathInfoRecords.update(key, (known) =>
    toUtf8(`${known === undefined ? "" : toLatin1(known)}${letter}`),
  );
}

async function read(store: LocalStore, key: Uint8Array = KEY): Promise<string | undefined> {
  const value = await store.pathInfoRecords.get(key);
  return value && toLatin1(value);
}

describe("RecordStore.list()", () => {
  /** Key and value of the records that are written: keys in no order, values of different lengths. */
  function samples(count: number, bytes = 40): { key: Uint8Array; value: Uint8Array }[] {
    return Array.from({ length: count }, (_, i) => {
      const key = new Uint8Array(20);
      new DataView(key.buffer).setUint32(0, Math.imul(i, 2_654_435_761));
      return { key, value: new Uint8Array(bytes + (i % 7)).fill(i) };
    });
  }

  async function storeWith(all: readonly { key: Uint8Array; value: Uint8Array }[]) {
    const store = await open();
    await Promise.all(all.map(({ key, value }) => store.pathInfoRecords.put(key, value)));
    return store;
  }

  const inOrder = (a: { key: Uint8Array }, b: { key: Uint8Array }) => compareBytes(a.key, b.key);

  it.each([
    ["more than are taken at once", 9000, 40],
    ["more bytes than are read at once", 40, 300_000],
  ])("gives all in the order of their keys: %s", async (_, count, bytes) => {
    const all = samples(count, bytes);
    const store = await storeWith(all);
    const listed: unknown[] = [];
    for await (const record of store.pathInfoRecords.list()) listed.push(record);
    expect(listed).toEqual(all.toSorted(inOrder));
  });

  it("fails at a damaged one, and has given those before it", async () => {
    const all = samples(50);
    const store = await storeWith(all);
    const sorted = all.toSorted(inOrder);
    const damaged = sorted[20] ?? expect.unreachable();
    const [pack = ""] = packFilesOf(scratch("store"));
    const bytes = fs.readFileSync(pack);
    const at = bytes.indexOf(damaged.value);
    expect(at).toBeGreaterThan(0);
    bytes[at] = 0xff;
    fs.writeFileSync(pack, bytes);
    const listed: unknown[] = [];
    const listing = (async () => {
      for await (const record of store.pathInfoRecords.list()) listed.push(record);
    })();
    await expect(listing).rejects.toMatchObject({ code: "CORRUPT" });
    expect(listed).toEqual(sorted.slice(0, 20));
  });

  it("ends where its signal says so", async () => {
    const store = await storeWith(samples(1000));
    const controller = new AbortController();
    const reason = new Error("enough");
    const listing = (async () => {
      for await (const _ of store.pathInfoRecords.list({ signal: controller.signal })) {
        controller.abort(reason);
      }
    })();
    await expect(listing).rejects.toBe(reason);
  });
});

describe("RecordStore.update()", () => {
  it("loses nothing when many change one value at a time", async () => {
    const store = await open();
    const other = new Uint8Array(20).fill(2);
    const letters = [..."abcdefghijklmnopqrstuvwxyz"];
    await Promise.all(letters.flatMap((x) => [append(store, x), append(store, x, other)]));
    expect(await read(store)).toBe(letters.join(""));
    expect(await read(store, other)).toBe(letters.join(""));
  });

  it("changes what another one has written while this one waited to write", async () => {
    const [first, second] = [await open(), await open()];
    await append(first, "a");
    expect(await read(second)).toBe("a");
    const waiting = append(second, "c");
    await append(first, "b");
    await first.close();
    await waiting;
    expect(await read(second)).toBe("abc");
  });

  it("leaves what is there, and what is not, where nothing is to be put", async () => {
    const store = await open();
    const seen: unknown[] = [];
    await store.pathInfoRecords.update(KEY, (known) => void seen.push(known) as undefined);
    expect(await read(store)).toBeUndefined();
    await append(store, "a");
    const size = (): number =>
      packFilesOf(scratch("store")).reduce((sum, file) => sum + fs.statSync(file).size, 0);
    const before = size();
    await store.pathInfoRecords.update(KEY, (known) => void seen.push(known) as undefined);
    expect(seen).toEqual([undefined, toUtf8("a")]);
    expect(await read(store)).toBe("a");
    expect(size()).toBe(before);
  });

  it("puts a new value in the place of a damaged one", async () => {
    const store = await open();
    await append(store, "damaged soon");
    const [pack = ""] = packFilesOf(scratch("store"));
    const bytes = fs.readFileSync(pack);
    const at = bytes.indexOf("damaged soon");
    expect(at).toBeGreaterThan(0);
    bytes[at] = 0;
    fs.writeFileSync(pack, bytes);
    await expect(read(store)).rejects.toMatchObject({ code: "CORRUPT" });
    await append(store, "sound");
    expect(await read(store)).toBe("sound");
  });

  it("passes on that the change fails, and goes on with the next", async () => {
    const store = await open();
    const failing = store.pathInfoRecords.update(KEY, () => {
      throw new Error("no");
    });
    const next = append(store, "a");
    await expect(failing).rejects.toThrow("no");
    await next;
    expect(await read(store)).toBe("a");
  });

  it("rejects with the reason of a signal, keys of another length, and a store to read only", async () => {
    const store = await open();
    const change = (): Uint8Array => toUtf8("x");
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(store.pathInfoRecords.update(KEY, change, { signal })).rejects.toBe(reason);
    await expect(store.pathInfoRecords.update(KEY.subarray(1), change)).rejects.toThrow(RangeError);
    await append(store, "a");
    const reader = await open({ readOnly: true });
    await expect(append(reader, "b")).rejects.toMatchObject({ code: "UNSUPPORTED" });
    expect(await read(store)).toBe("a");
  });
});
