import fs from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { concatBytes } from "../bytes.js";
import { blake3 } from "../hasher/blake3.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { seededBytes } from "../testing/seeded-random.js";
import { loadZstd } from "./compression.js";
import { storeLayout } from "./layout.js";
import { FileSystemPackFiles, packFileName } from "./pack-files.js";
import { PACK_HEADER_LENGTH, RecordKind } from "./pack-format.js";
import { encodeRecord } from "./record.js";
import { WriteSession } from "./write-session.js";

const scratch = scratchDirectory();
afterEach(() => {
  vi.restoreAllMocks();
});

describe("FileSystemPackFiles", () => {
  it("lists packs by number, and nothing else", () => {
    for (const name of ["00000010.pack", "00000002.pack", "100000000.pack", "x.pack", "1.pack"]) {
      fs.writeFileSync(scratch(name), "");
    }
    expect(new FileSystemPackFiles(scratch()).list()).toEqual([2, 10, 100_000_000]);
    expect(packFileName(10)).toBe("00000010.pack");
  });

  it("makes a pack once, and opens one that exists", () => {
    const files = new FileSystemPackFiles(scratch());
    files.create(1).close();
    expect(() => files.create(1)).toThrow("EEXIST");
    expect(() => files.open(2)).toThrow("ENOENT");
    expect(files.list()).toEqual([1]);
  });

  it("writes, reads and truncates anywhere", () => {
    const file = new FileSystemPackFiles(scratch()).create(1);
    const [a, b] = [seededBytes(1, 1000), seededBytes(2, 70)];
    file.write([a, new Uint8Array(0), b], 5);
    expect(file.size()).toBe(1075);
    const read = new Uint8Array(2000);
    expect(file.read(read, 5)).toBe(1070);
    expect(read.subarray(0, 1070)).toEqual(concatBytes([a, b]));
    expect(file.read(read, 5000)).toBe(0);
    file.truncate(10);
    file.sync();
    expect(file.size()).toBe(10);
    file.close();
  });

  it("goes on after short writes and short reads", () => {
    const { writeSync, readSync } = fs;
    vi.spyOn(fs, "writeSync").mockImplementation(((fd, bytes: Uint8Array, offset, length, at) =>
      writeSync(fd, bytes, offset, Math.min(length ?? 0, 7), at)) as typeof fs.writeSync);
    vi.spyOn(fs, "readSync").mockImplementation(((fd, bytes: Uint8Array, offset, length, at) =>
      readSync(fd, bytes, offset, Math.min(length ?? 0, 11), at)) as typeof fs.readSync);
    const file = new FileSystemPackFiles(scratch()).create(1);
    const parts = [seededBytes(1, 100), seededBytes(2, 33)];
    file.write(parts, 0);
    const read = new Uint8Array(133);
    expect(file.read(read, 0)).toBe(133);
    expect(read).toEqual(concatBytes(parts));
    file.close();
  });
});

describe("a WriteSession on a disk that is full at each write in turn", () => {
  it("says so, keeps what it had, and goes on when there is room and it is opened again", async () => {
    const zstd = await loadZstd();
    const layout = storeLayout(scratch());
    fs.mkdirSync(layout.packs);
    const open = () =>
      new WriteSession({
        layout,
        files: new FileSystemPackFiles(layout.packs),
        zstd,
        packLimit: PACK_HEADER_LENGTH + 600,
      });
    const records = Array.from({ length: 12 }, (_, i) => {
      const raw = seededBytes(i, 100);
      return encodeRecord(RecordKind.CHUNK, blake3(raw).toBytes(), raw);
    });
    const { writeSync } = fs;
    let room = Number.POSITIVE_INFINITY;
    vi.spyOn(fs, "writeSync").mockImplementation(((fd, bytes: Uint8Array, offset, length, at) => {
      if (room <= 0) throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
      const written = writeSync(fd, bytes, offset, Math.min(length ?? 0, room), at);
      room -= written;
      return written;
    }) as typeof fs.writeSync);
    let stored = 0;
    for (let first = 0; stored < records.length; first += 37) {
      const session = open();
      room = (first * 11) % (PACK_HEADER_LENGTH + 500);
      try {
        for (; stored < records.length; stored++)
          session.write([{ records: records[stored] as Uint8Array }]);
      } catch (error) {
        expect(error).toMatchObject({
          code: "STORAGE",
          message: expect.stringContaining("ENOSPC"),
        });
        room = Number.POSITIVE_INFINITY;
        expect(() => session.write([{ records: records[0] as Uint8Array }])).toThrow("ENOSPC");
      }
      session.close();
    }
    const last = open();
    const [outcome] = last.write([{ records: concatBytes(records) }]);
    last.close();
    expect(outcome?.known.records).toBe(12);
    expect(outcome?.added.records).toBe(0);
  });
});
