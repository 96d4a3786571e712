import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryBlobService, MemoryDirectoryService } from "@tvix/castore";
import { LocalStore } from "@tvix/castore/local";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StoreError } from "../errors.js";
import { PathInfo } from "../path-info.js";
import { StorePath } from "../store-path/store-path.js";
import { MemoryRecordStore } from "../testing/memory-record-store.js";
import { storeFile } from "../testing/nar-fixtures.js";
import { SYMLINK_PATH_INFO } from "../testing/path-info-fixtures.js";
import { pathInfoServiceSuite } from "../testing/path-info-service-suite.js";
import { encodePathInfo } from "../wire/path-info-codec.js";
import { LocalPathInfoService } from "./local.js";

function memoryRoots() {
  return { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
}

pathInfoServiceSuite("local over records in memory", async () => {
  const roots = memoryRoots();
  const records = new MemoryRecordStore();
  const open = () => new LocalPathInfoService(records, { roots });
  return { service: open(), roots, reopen: async () => open() };
});

pathInfoServiceSuite("local store", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tvix-store-"));
  let store = await LocalStore.open(folder);
  return {
    service: new LocalPathInfoService(store.pathInfoRecords, { roots: store }),
    roots: store,
    reopen: async () => {
      await store.close();
      store = await LocalStore.open(folder);
      return new LocalPathInfoService(store.pathInfoRecords, { roots: store });
    },
    close: async () => {
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});

describe("LocalPathInfoService.peek()", () => {
  const key = SYMLINK_PATH_INFO.storePath.digestBytes();
  const changed = PathInfo.of({
    ...SYMLINK_PATH_INFO,
    narSha256: SYMLINK_PATH_INFO.narSha256,
    deriver: StorePath.of(key, "deriver"),
  });
  let folder: string;
  const stores: LocalStore[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tvix-store-"));
  });

  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function open(): Promise<LocalPathInfoService> {
    const store = await LocalStore.open(folder);
    stores.push(store);
    return new LocalPathInfoService(store.pathInfoRecords, { roots: store });
  }

  it("gives what was given out, until something else is stored", async () => {
    const service = await open();
    expect(service.peek(key)).toBeUndefined();
    await service.put(SYMLINK_PATH_INFO);
    expect(service.peek(key)).toBeUndefined();
    const known = await service.get(key);
    expect(service.peek(key)).toBe(known);
    expect(await service.get(key)).toBe(known);
    await service.put(changed);
    expect(service.peek(key)).toBeUndefined();
    expect(await service.get(key)).toEqual(changed);
    expect(service.peek(key)).toEqual(changed);
  });

  it("sees that another path was stored, and stays with what it knows", async () => {
    const service = await open();
    await service.put(SYMLINK_PATH_INFO);
    const known = await service.get(key);
    const other = StorePath.of(new Uint8Array(20).fill(7), "other");
    await service.put(PathInfo.of({ ...changed, narSha256: changed.narSha256, storePath: other }));
    expect(service.peek(key)).toBe(known);
  });

  it("sees at the next turn of the event loop what others have stored", async () => {
    const writer = await open();
    await writer.put(SYMLINK_PATH_INFO);
    const reader = await open();
    await reader.get(key);
    expect(reader.peek(key)).toEqual(SYMLINK_PATH_INFO);
    await writer.put(changed);
    await new Promise((resolve) => setImmediate(resolve));
    expect(reader.peek(key)).toBeUndefined();
    expect(await reader.get(key)).toEqual(changed);
  });
});

describe("LocalPathInfoService", () => {
  const key = new Uint8Array(20).fill(5);
  let records: MemoryRecordStore;
  let service: LocalPathInfoService;
  beforeEach(() => {
    records = new MemoryRecordStore();
    service = new LocalPathInfoService(records, { roots: memoryRoots() });
  });

  async function listAll(): Promise<number> {
    let count = 0;
    for await (const _ of service.list()) count++;
    return count;
  }

  it.each([
    ["is not a path info", Uint8Array.of(1, 2, 3), /it is not a protobuf message|field/],
    ["is cut short", encodePathInfo(SYMLINK_PATH_INFO).subarray(0, 50), /Invalid path info/],
    ["belongs to another path", encodePathInfo(SYMLINK_PATH_INFO), /it is that of .*-dummy/],
  ])("reports a record that %s as corrupt", async (_, value, message) => {
    await records.put(key, value);
    const failures = await Promise.allSettled([service.get(key), listAll()]);
    for (const failure of failures) {
      const error = failure.status === "rejected" ? failure.reason : undefined;
      expect(StoreError.is(error, "CORRUPT")).toBe(true);
      expect(String(error)).toMatch(message);
      expect(String(error)).toContain("0l2ha1850l2ha1850l2ha1850l2ha185");
    }
  });

  it("keeps path infos as their encoding under the output hash", async () => {
    await service.put(SYMLINK_PATH_INFO);
    const value = await records.get(SYMLINK_PATH_INFO.storePath.digestBytes());
    expect(value).toEqual(encodePathInfo(SYMLINK_PATH_INFO));
  });

  it("refuses a file whose blob is not stored, and takes it once it is", async () => {
    const roots = memoryRoots();
    const node = await storeFile(memoryRoots(), Uint8Array.of(1, 2, 3));
    const checking = new LocalPathInfoService(records, { roots });
    const pathInfo = PathInfo.of({
      storePath: StorePath.of(key, "file"),
      node,
      narSize: 1n,
      narSha256: new Uint8Array(32),
    });
    const error = await checking.put(pathInfo).catch((reason: unknown) => reason);
    expect(StoreError.is(error, "MISSING_REFERENCE")).toBe(true);
    expect(await records.get(key)).toBeUndefined();
    await storeFile(roots, Uint8Array.of(1, 2, 3));
    await checking.put(pathInfo);
    expect(await records.get(key)).toBeDefined();
  });

  it("passes failures of the records through", async () => {
    const failure = new Error("disk on fire");
    records.get = () => Promise.reject(failure);
    await expect(service.get(key)).rejects.toBe(failure);
  });
});
