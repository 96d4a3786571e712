import fs from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { toLatin1, toUtf8 } from "../bytes.js";
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
