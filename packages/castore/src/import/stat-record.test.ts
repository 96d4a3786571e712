import type { BigIntStats } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toLatin1 } from "../bytes.js";
import { B3Digest } from "../digest.js";
import type { DirectorySizeRule } from "../nodes/directory.js";
import { directoryNode } from "../nodes/node.js";
import { digests, nodeSizes } from "../testing/arbitraries.js";
import { SeededRandom } from "../testing/seeded-random.js";
import {
  decodeStatRecord,
  EntryKind,
  finishStatRecord,
  isSameStat,
  isSameTime,
  isSettled,
  leafName,
  leafStatOffset,
  recordedNode,
  StatRecordBuilder,
} from "./stat-record.js";

const SECOND = 1_000_000_000n;
const NOW_NS = 1_700_000_000n * SECOND;

type Stat = Pick<BigIntStats, "dev" | "ino" | "size" | "mode" | "mtimeNs" | "ctimeNs">;

/** The part of a stat that counts. */
function statOf(stat: Partial<Stat> = {}): BigIntStats {
  const old = NOW_NS - 100n * SECOND;
  const whole = { dev: 1n, ino: 2n, size: 3n, mode: 0o100644n, mtimeNs: old, ctimeNs: old };
  return { ...whole, ...stat } as BigIntStats;
}

/** Stats of old files. */
function stats(): fc.Arbitrary<BigIntStats> {
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const old = fc.bigInt({ min: -(2n ** 63n), max: NOW_NS - 3n * SECOND });
  return fc
    .record({
      dev: u64,
      ino: u64,
      size: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
      mode: fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }),
      mtimeNs: old,
      ctimeNs: old,
    })
    .map((stat) => statOf(stat));
}

const names = fc.uint8Array({ minLength: 1, maxLength: 255 }).map((bytes) => toLatin1(bytes));
const rules = fc.constantFrom<DirectorySizeRule>("documented", "doubled");

/** A whole record, and what went into it. */
const records = fc
  .record({
    stat: stats(),
    node: fc.tuple(digests(), nodeSizes()).map(([digest, size]) => directoryNode(digest, size)),
    rule: rules,
    leaves: fc.array(
      fc.record({
        name: names,
        kind: fc.constantFrom(EntryKind.FILE, EntryKind.SYMLINK),
        stat: stats(),
      }),
      { maxLength: 6 },
    ),
    directories: fc.array(
      fc.record({
        name: names,
        digest: digests(),
        record: fc.option(fc.uint8Array({ minLength: 1, maxLength: 50 }), { nil: undefined }),
      }),
      { maxLength: 4 },
    ),
  })
  .map((parts) => {
    const builder = new StatRecordBuilder(parts.stat, NOW_NS);
    const { leaves, directories } = parts;
    // Mixed, as names are.
    for (let i = 0; i < Math.max(leaves.length, directories.length); i++) {
      const [leaf, directory] = [leaves[i], directories[i]];
      if (leaf !== undefined) builder.add(leaf.name, leaf.kind, leaf.stat);
      if (directory !== undefined) builder.add(directory.name, EntryKind.DIRECTORY);
    }
    const children = directories.map(({ digest, record }) => ({ digest, record }));
    const bytes = finishStatRecord(builder.build(), parts.node, children, parts.rule);
    return { ...parts, bytes };
  });

describe("decodeStatRecord()", () => {
  it("gives back what went into a record", () => {
    return fc.assert(
      fc.property(records, ({ bytes, stat, node, rule, leaves, directories }) => {
        const record = decodeStatRecord(bytes);
        if (record === undefined) expect.fail("It is no record");
        expect(record.sizeRule).toBe(rule);
        expect(recordedNode(record)).toEqual(node);
        expect(isSameStat(stat, record.view, record.statOffset)).toBe(true);
        expect(record.leaves.map((leaf) => leafName(record, leaf))).toEqual(
          leaves.map(({ name }) => name),
        );
        for (const [i, leaf] of record.leaves.entries()) {
          const offset = leafStatOffset(record, leaf);
          expect(isSameStat(leaves[i]?.stat as BigIntStats, record.view, offset)).toBe(true);
        }
        const found = record.directories.map((entry) => {
          return { ...entry, digest: B3Digest.fromBytes(entry.digest) };
        });
        expect(found).toEqual(directories);
      }),
      { seed: 5, numRuns: 100 },
    );
  });

  it("reads a view into larger memory", () => {
    const [{ bytes, node } = expect.fail()] = fc.sample(records, { seed: 6, numRuns: 1 });
    const memory = new Uint8Array(bytes.byteLength + 20).fill(0xff);
    memory.set(bytes, 7);
    const record = decodeStatRecord(memory.subarray(7, 7 + bytes.byteLength));
    expect(record && recordedNode(record)).toEqual(node);
  });

  it("takes no part of a record, nor one with more behind it", () => {
    for (const { bytes } of fc.sample(records, { seed: 7, numRuns: 10 })) {
      for (let length = 0; length < bytes.byteLength; length++)
        expect(decodeStatRecord(bytes.subarray(0, length))).toBeUndefined();
      const longer = new Uint8Array(bytes.byteLength + 32);
      longer.set(bytes);
      expect(decodeStatRecord(longer)).toBeUndefined();
    }
  });

  it.each([
    ["version", 0, 1],
    ["version", 0, 2],
    ["version", 0, 4],
    ["size rule", 1, 2],
  ])("takes no other %s", (_, at, value) => {
    for (const { bytes } of fc.sample(records, { seed: 8, numRuns: 10 })) {
      bytes[at] = value;
      expect(decodeStatRecord(bytes)).toBeUndefined();
    }
  });

  it("never throws, whatever it is given", () => {
    const random = new SeededRandom(9);
    let taken = 0;
    for (const { bytes } of fc.sample(records, { seed: 9, numRuns: 50 })) {
      for (let i = 0; i < 100; i++) {
        const mutant = Uint8Array.from(bytes.subarray(0, random.below(bytes.byteLength + 1)));
        const whole = random.below(2) === 0 ? mutant : Uint8Array.from(bytes);
        for (let n = random.below(4); n > 0 && whole.byteLength > 0; n--)
          whole[random.below(whole.byteLength)] = random.pick([0, 1, 2, 3, 255, random.below(256)]);
        if (decodeStatRecord(whole) !== undefined) taken += 1;
      }
    }
    // Damage of stats and names makes a record of something else, not of nothing.
    expect(taken).toBeGreaterThan(0);
    for (const bytes of fc.sample(fc.uint8Array({ maxLength: 400 }), { seed: 9, numRuns: 200 })) {
      const claimed = Uint8Array.from([3, 0, ...bytes]);
      expect(() => decodeStatRecord(claimed)).not.toThrow();
    }
  });

  it("is not misled by a count of more entries than there are bytes", () => {
    const bytes = new Uint8Array(2 + 32 + 8 + 44 + 4);
    bytes[0] = 3;
    bytes.fill(0xff, bytes.byteLength - 4);
    expect(decodeStatRecord(bytes)).toBeUndefined();
  });
});

describe("isSameStat()", () => {
  const record = finishStatRecord(
    new StatRecordBuilder(statOf(), NOW_NS).build(),
    ...([
      fc.sample(digests(), { seed: 1, numRuns: 1 }).map((digest) => directoryNode(digest, 0n))[0] ??
        expect.fail(),
      [],
      "documented",
    ] as const),
  );

  it.each<[string, Partial<Stat>]>([
    ["device", { dev: 9n }],
    ["inode", { ino: 9n }],
    ["size", { size: 9n }],
    ["mode", { mode: 0o100755n }],
    ["type", { mode: 0o120644n }],
    ["time of change of the content, by a nanosecond", { mtimeNs: statOf().mtimeNs + 1n }],
    ["time of change of anything, by a nanosecond", { ctimeNs: statOf().ctimeNs - 1n }],
  ])("sees another %s", (_, change) => {
    const decoded = decodeStatRecord(record);
    if (decoded === undefined) expect.fail("It is no record");
    expect(isSameStat(statOf(), decoded.view, decoded.statOffset)).toBe(true);
    expect(isSameStat(statOf(change), decoded.view, decoded.statOffset)).toBe(false);
  });
});

describe("isSameTime()", () => {
  const isSame = (recorded: bigint, seconds: bigint, nanoseconds: number): boolean => {
    const view = new DataView(new ArrayBuffer(12));
    view.setBigInt64(4, recorded, true);
    const low = Number(BigInt.asIntN(32, seconds));
    const high = Number(BigInt.asIntN(32, seconds >> 32n));
    return isSameTime(view, 4, low, high, nanoseconds);
  };
  const recordable = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

  it("knows every time that a record can hold", () => {
    return fc.assert(
      fc.property(recordable, (time) => {
        const nanoseconds = ((time % SECOND) + SECOND) % SECOND;
        expect(isSame(time, (time - nanoseconds) / SECOND, Number(nanoseconds))).toBe(true);
      }),
      { seed: 11, numRuns: 1000 },
    );
  });

  it("takes no other for it, be it a nanosecond or a multiple of 2^32 away", () => {
    const away = fc.oneof(
      fc.constantFrom(1n, -1n, 2n ** 31n, -(2n ** 31n)),
      fc.bigInt({ min: -(2n ** 31n), max: 2n ** 31n - 1n }).map((n) => n * 2n ** 32n),
    );
    return fc.assert(
      fc.property(recordable, away, (time, difference) => {
        fc.pre(difference !== 0n);
        const other = time + difference;
        const nanoseconds = ((other % SECOND) + SECOND) % SECOND;
        expect(isSame(time, (other - nanoseconds) / SECOND, Number(nanoseconds))).toBe(false);
      }),
      { seed: 12, numRuns: 1000 },
    );
  });
});

describe("isSettled()", () => {
  it.each([
    ["long ago", -100n * SECOND, true],
    ["more than two seconds ago", -2n * SECOND - 1n, true],
    ["two seconds ago", -2n * SECOND, false],
    ["a moment ago", -1n, false],
    ["now", 0n, false],
    ["in the future", 100n * SECOND, false],
  ])("judges what was changed %s", (_, age, settled) => {
    const old = NOW_NS - 100n * SECOND;
    expect(isSettled(statOf({ mtimeNs: NOW_NS + age, ctimeNs: NOW_NS + age }), NOW_NS)).toBe(
      settled,
    );
    expect(isSettled(statOf({ mtimeNs: old, ctimeNs: NOW_NS + age }), NOW_NS)).toBe(settled);
    expect(isSettled(statOf({ mtimeNs: NOW_NS + age, ctimeNs: old }), NOW_NS)).toBe(settled);
  });
});

describe("StatRecordBuilder", () => {
  const young = statOf({ ctimeNs: NOW_NS });

  it("makes no record of a young directory", () => {
    const builder = new StatRecordBuilder(young, NOW_NS);
    builder.add("old", EntryKind.FILE, statOf());
    expect(builder.build().byteLength).toBe(0);
  });

  it.each([0, 1, 2])("makes no record when entry %i is young", (at) => {
    const builder = new StatRecordBuilder(statOf(), NOW_NS);
    for (let i = 0; i < 3; i++)
      builder.add(`f${i}`, EntryKind.SYMLINK, i === at ? young : statOf());
    expect(builder.build().byteLength).toBe(0);
  });

  it("makes one of very many entries", () => {
    const builder = new StatRecordBuilder(statOf(), NOW_NS);
    for (let i = 0; i < 50_000; i++) builder.add("n".repeat(255), EntryKind.FILE, statOf());
    expect(builder.build().byteLength).toBe(44 + 4 + 50_000 * (2 + 255 + 44));
  });
});
