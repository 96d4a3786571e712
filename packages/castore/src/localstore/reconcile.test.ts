import fs from "node:fs";
import { describe, expect, it } from "vitest";
import { concatBytes, copyBytes, toUtf8 } from "../bytes.js";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";
import { packBytes } from "../testing/pack-bytes.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { SeededRandom, seededBytes } from "../testing/seeded-random.js";
import { SimulatedPackFiles } from "../testing/simulated-pack-files.js";
import { loadZstd } from "./compression.js";
import { IndexReader } from "./index-database.js";
import { type StoreLayout, storeLayout } from "./layout.js";
import { encodePackHeader, PACK_HEADER_LENGTH, RecordKind } from "./pack-format.js";
import type { RecoveryEvent } from "./reconcile.js";
import { encodeRecord } from "./record.js";
import { WriteSession } from "./write-session.js";

const zstd = await loadZstd();
const scratch = scratchDirectory();

const RAW = Array.from({ length: 6 }, (_, i) => seededBytes(i, 100 + i));
const CHUNKS = RAW.map((raw) => encodeRecord(RecordKind.CHUNK, blake3(raw).toBytes(), raw));
const [A, B, C] = CHUNKS as [Uint8Array, Uint8Array, Uint8Array];

/** Identities of the packs 1 to 3. */
const IDENTITIES = [1, 2, 3].map((id) => seededBytes(1000 + id, 16)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];

/** Packs with these bytes, numbered from 1, whose records are in place; one without is missing. */
function disk(...packs: (readonly Uint8Array[] | undefined)[]): SimulatedPackFiles {
  const files = new SimulatedPackFiles();
  packs.forEach((parts, i) => {
    if (parts === undefined) return;
    const file = files.create(i + 1);
    file.write([packBytes(IDENTITIES[i] as Uint8Array, parts)], 0);
    file.sync();
  });
  return files;
}

function layout(): StoreLayout {
  const places = storeLayout(scratch());
  fs.mkdirSync(places.packs, { recursive: true });
  return places;
}

function openSession(files: SimulatedPackFiles): WriteSession {
  return new WriteSession({ layout: layout(), files, zstd });
}

/** What opening a store with these packs finds. */
function recover(files: SimulatedPackFiles): readonly RecoveryEvent[] {
  const session = openSession(files);
  session.close();
  return session.recovery.events;
}

/** Which of {@link RAW} the index knows. */
function known(): number[] {
  const index = new IndexReader(storeLayout(scratch()).index);
  const found = RAW.flatMap((raw, i) =>
    index.has(RecordKind.CHUNK, blake3(raw).toBytes()) ? [i] : [],
  );
  index.close();
  return found;
}

const HEADER = encodePackHeader(IDENTITIES[0]);
const HEADER_2 = encodePackHeader(IDENTITIES[1]);
const sizeOf = (...parts: Uint8Array[]) => concatBytes(parts).byteLength;

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = copyBytes(bytes);
  copy[at] = (copy[at] as number) ^ 1;
  return copy;
}

function zeroed(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return copyBytes(bytes).fill(0, start, end);
}

describe("reconcile()", () => {
  it("indexes a pack that the index does not know, and does nothing the next time", () => {
    const files = disk([HEADER, A, B]);
    const bytes = sizeOf(A, B);
    const indexed = {
      type: "tail-indexed",
      pack: 1,
      offset: PACK_HEADER_LENGTH,
      bytes,
      records: 2,
    };
    expect(recover(files)).toEqual([indexed]);
    expect(known()).toEqual([0, 1]);
    files.restart();
    expect(recover(files)).toEqual([]);
    expect(files.operations).toBe(3);
  });

  it.each([
    ["a part of a header", A.subarray(0, 63)],
    ["a header without its payload", A.subarray(0, 64)],
    ["a part of a payload", A.subarray(0, A.byteLength - 1)],
    ["zeros", new Uint8Array(5000)],
    ["a payload that ends in zeros", concatBytes([A.subarray(0, 100), new Uint8Array(64)])],
    ["two such payloads", flipped(A, 70), flipped(C, 70)],
  ] as const)("cuts %s off the last pack", (_what, ...torn: Uint8Array[]) => {
    const files = disk([HEADER, B, ...torn]);
    const end = sizeOf(HEADER, B);
    expect(recover(files)).toContainEqual({
      type: "tail-cut",
      pack: 1,
      offset: end,
      bytes: sizeOf(...torn),
      records: 0,
    });
    expect(files.contents().get(1)?.byteLength).toBe(end);
    expect(known()).toEqual([1]);
  });

  it("leaves damage alone that has sound records behind it, and in packs that are not the last", () => {
    const first = [HEADER, A, flipped(B, 70)];
    const files = disk(first, [HEADER_2, flipped(CHUNKS[3] as Uint8Array, 5), C]);
    const events = recover(files).filter(({ type }) => type !== "tail-indexed");
    expect(events).toEqual([
      { type: "damaged", pack: 1, offset: sizeOf(HEADER, A), bytes: B.byteLength, records: 0 },
      { type: "damaged", pack: 2, offset: PACK_HEADER_LENGTH, bytes: 167, records: 0 },
    ]);
    expect(known()).toEqual([0, 2]);
    expect(files.contents().get(1)).toEqual(packBytes(IDENTITIES[0], first));
  });

  it.each([
    ["is damaged", flipped(HEADER, 9)],
    ["is zero", zeroed(HEADER, 0, 4096)],
    ["has a damaged copy", zeroed(HEADER, 4096, PACK_HEADER_LENGTH)],
    ["has other bytes around it", flipped(HEADER, 100)],
  ])("keeps the records of a pack whose header %s, and appends nothing there", (_what, header) => {
    const files = disk([header, A, B]);
    expect(recover(files)[0]).toMatchObject({ type: "damaged", pack: 1, offset: 0 });
    expect(known()).toEqual([0, 1]);
    const session = openSession(files);
    session.write([{ records: C }]);
    session.close();
    expect([...files.contents().keys()]).toEqual([1, 2]);
    expect(known()).toEqual([0, 1, 2]);
  });

  it("believes no record of a pack whose header is lost with its copy, and leaves it alone", () => {
    const files = disk([zeroed(HEADER, 0, PACK_HEADER_LENGTH), A, B]);
    const before = files.contents().get(1);
    const bytes = sizeOf(HEADER, A, B);
    expect(recover(files)).toEqual([{ type: "damaged", pack: 1, offset: 0, bytes, records: 0 }]);
    expect(known()).toEqual([]);
    expect(files.contents().get(1)).toEqual(before);
    files.restart();
    expect(recover(files)).toEqual([]);
  });

  it("reads on in a pack that it knows whose header was lost since", () => {
    recover(disk([HEADER, A]));
    recover(disk([zeroed(HEADER, 0, PACK_HEADER_LENGTH), A, B]));
    expect(known()).toEqual([0, 1]);
  });

  it("does not append to a pack whose header was lost since", () => {
    recover(disk([HEADER, A]));
    const files = disk([zeroed(HEADER, 0, 40), A]);
    const session = openSession(files);
    session.write([{ records: B }]);
    session.close();
    expect([...files.contents().keys()]).toEqual([1, 2]);
    expect(known()).toEqual([0, 1]);
  });

  it.each([
    ["at another offset", packBytes(IDENTITIES[0], [HEADER, C, A]).subarray(-A.byteLength)],
    ["in another pack", packBytes(IDENTITIES[1], [HEADER_2, B, A]).subarray(-A.byteLength)],
  ])("does not believe a record that was written %s", (_what, copy) => {
    // The bytes before it keep packBytes() from completing it for its new place.
    const files = disk([HEADER, B, concatBytes([Uint8Array.of(0, 0), copy]), C], [HEADER_2]);
    recover(files);
    expect(known()).toEqual([1, 2]);
  });

  it("refuses a pack of a newer version, and changes nothing", () => {
    const newer = copyBytes(HEADER);
    newer[8] = 4;
    newer.set(blake3(newer.subarray(0, 32)).toBytes().subarray(0, 8), 32);
    const files = disk([newer, A]);
    expect(() => recover(files)).toThrow("format version 4, this program knows 3");
    expect(files.contents().get(1)).toEqual(packBytes(IDENTITIES[0], [newer, A]));
  });

  it.each([
    ["nothing", []],
    ["a part of a header", [HEADER.subarray(0, 31)]],
    ["a header without its copy", [HEADER.subarray(0, 4100)]],
    ["a header that is not whole", [HEADER.subarray(0, 10), new Uint8Array(22)]],
    ["a header alone", [HEADER]],
  ])("goes on behind a pack that was being made and holds %s", (_what, parts) => {
    const files = disk(parts);
    const session = openSession(files);
    session.write([{ records: A }]);
    session.close();
    expect(known()).toEqual([0]);
    expect([...files.contents().keys()]).toEqual([1, 2]);
    expect(files.contents().get(1)?.byteLength).toBe(0);
  });

  it("forgets what a pack has lost, so that it is stored again", () => {
    recover(disk([HEADER, A, B, C]));
    const shorter = disk([HEADER, A, B.subarray(0, 80)]);
    expect(recover(shorter)).toMatchObject([
      { type: "pack-short", offset: sizeOf(HEADER, A) + 80 },
    ]);
    expect(known()).toEqual([0]);
    const session = openSession(shorter);
    const [outcome] = session.write([{ records: concatBytes([A, B]) }]);
    session.close();
    expect(outcome).toMatchObject({ added: { records: 1 }, known: { records: 1 } });
    expect(known()).toEqual([0, 1]);
  });

  it("forgets a pack that is gone, goes on, and takes it back when it comes back", () => {
    recover(disk([HEADER, A], [HEADER_2, B]));
    const files = disk([HEADER, A]);
    expect(recover(files)).toMatchObject([{ type: "pack-short", pack: 2, offset: 0 }]);
    expect(known()).toEqual([0]);
    const session = openSession(files);
    session.write([{ records: C }]);
    session.close();
    const third = files.contents().get(3);
    expect(third?.byteLength).toBe(PACK_HEADER_LENGTH + C.byteLength);
    recover(disk([HEADER, A], [HEADER_2, B], [third ?? A]));
    expect(known()).toEqual([0, 1, 2]);
  });

  it("keeps the latest path info, in whatever order packs come", () => {
    const key = new Uint8Array(20).fill(1);
    const [old, late] = [toUtf8("old"), toUtf8("new")].map((raw) =>
      encodeRecord(RecordKind.PATH_INFO, key, raw),
    ) as [Uint8Array, Uint8Array];
    recover(disk(undefined, [HEADER_2, late]));
    recover(disk([HEADER, old, A], [HEADER_2, late]));
    const index = new IndexReader(storeLayout(scratch()).index);
    const [record] = index.recordsAfter(RecordKind.PATH_INFO, new Uint8Array(0), 10);
    index.close();
    expect(record?.pack).toBe(2);
    expect(known()).toEqual([0]);
  });

  it("replaces an index that is damaged inside", () => {
    const files = disk([HEADER, ...CHUNKS]);
    recover(files);
    const file = storeLayout(scratch()).index;
    const bytes = fs.readFileSync(file);
    bytes.fill(0xee, 4096);
    fs.writeFileSync(file, bytes);
    fs.rmSync(`${file}-wal`, { force: true });
    fs.rmSync(`${file}-shm`, { force: true });
    const session = openSession(files);
    session.close();
    expect(session.recovery.indexRebuilt).toBe(true);
    expect(known()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(fs.readdirSync(scratch("quarantine")).length).toBeGreaterThan(0);
  });
});

describe("reconcile() of mutated packs", () => {
  const sample = packBytes(IDENTITIES[0], [
    HEADER,
    ...Array.from({ length: 10 }, () => CHUNKS).flat(),
  ]);

  function mutate(random: SeededRandom): Uint8Array {
    const bytes = Uint8Array.from(sample);
    for (let i = 1 + random.below(8); i > 0; i--) {
      const at = random.below(bytes.byteLength);
      const choice = random.below(5);
      if (choice === 0) bytes[at] = random.below(256);
      else if (choice === 1) bytes.fill(random.below(2) * 255, at, at + random.below(300));
      else if (choice === 2) bytes.set(toUtf8("TVXR"), Math.min(at, bytes.byteLength - 4));
      else if (choice === 3) bytes.copyWithin(at, random.below(bytes.byteLength), bytes.byteLength);
      else new DataView(bytes.buffer).setUint32(Math.min(at, bytes.byteLength - 4), 0xffff_ffff);
    }
    return bytes.subarray(0, random.below(4) === 0 ? random.below(bytes.byteLength) : undefined);
  }

  it("ends soon, in typed errors or with sound records only", () => {
    const random = new SeededRandom(5);
    const started = process.cpuUsage();
    for (let i = 0; i < 150; i++) {
      const files = disk([mutate(random)], random.below(2) === 0 ? [HEADER_2] : undefined);
      for (const suffix of ["", "-wal", "-shm"]) {
        fs.rmSync(storeLayout(scratch()).index + suffix, { force: true });
      }
      try {
        const session = openSession(files);
        session.write([{ records: A }]);
        session.close();
      } catch (error) {
        if (!CastoreError.is(error)) throw error;
      }
      expect(known()).toContain(0);
    }
    expect(process.cpuUsage(started).user / 1e6).toBeLessThan(10);
  });

  it.each([
    ["magic numbers", [toUtf8("TVXR".repeat(500_000))]],
    ["headers without payload", Array.from({ length: 20_000 }, () => A.subarray(0, 64))],
    [
      "damage and sound records by turns",
      Array.from({ length: 5000 }, () => [flipped(B, 9), A]).flat(),
    ],
  ])("takes time in proportion to a pack full of %s", (_what, parts) => {
    const started = process.cpuUsage();
    // Where a header says so, a payload is skipped, with whatever looks like a record in it.
    recover(disk([HEADER, ...parts, new Uint8Array(200), B]));
    expect(process.cpuUsage(started).user / 1e6).toBeLessThan(8);
    expect(known()).toContain(1);
  });
});
