import { B3Digest, blake3, PathComponent, SymlinkTarget, toUtf8 } from "@tvix/castore";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ROOT_NODE_ID } from "../file-system.js";
import { directoryPosition } from "./inode-number.js";
import { InodeTable, ROOT_SLOT } from "./inode-table.js";
import { NODE_KIND } from "./node-kind.js";

function digest(i: number): B3Digest {
  return blake3(toUtf8(`content ${i}`));
}

function rememberFile(table: InodeTable, i: number, executable = false, size = i): number {
  const slot = table.rememberFile({
    digest: digest(i),
    size,
    executable,
    parentSlot: ROOT_SLOT,
    index: i,
  });
  return table.nodeId(slot);
}

function rememberDirectory(table: InodeTable, i: number, name: string): number {
  const position = directoryPosition(1, PathComponent.parse(name), digest(i));
  const slot = table.rememberDirectory({
    digest: digest(i),
    position,
    parentIno: 1,
    entries: i,
    links: i + 2,
  });
  return table.nodeId(slot);
}

function rememberLink(table: InodeTable, target: string): number {
  return table.nodeId(table.rememberSymlink(SymlinkTarget.parse(target)));
}

describe("InodeTable", () => {
  it("knows the root from the start, and keeps it", () => {
    const table = new InodeTable();
    expect(table.slotOf(ROOT_NODE_ID)).toBe(ROOT_SLOT);
    expect(table.kind(ROOT_SLOT)).toBe(NODE_KIND.DIRECTORY);
    expect([table.ino(ROOT_SLOT), table.parentIno(ROOT_SLOT)]).toEqual([1, 1]);
    expect(table.forget(ROOT_NODE_ID, Number.MAX_SAFE_INTEGER)).toBe(false);
    expect(table.slotOf(ROOT_NODE_ID)).toBe(ROOT_SLOT);
    expect(table.count).toBe(1);
  });

  it("gives back what was remembered", () => {
    const table = new InodeTable();
    const file = table.slotOf(rememberFile(table, 7));
    expect(table.kind(file)).toBe(NODE_KIND.FILE);
    expect(table.size(file)).toBe(7);
    expect(table.digest(file).equals(digest(7))).toBe(true);
    expect(table.place(file)).toEqual({ parentSlot: ROOT_SLOT, index: 7 });
    const directory = table.slotOf(rememberDirectory(table, 5, "name"));
    expect(table.kind(directory)).toBe(NODE_KIND.DIRECTORY);
    expect([table.size(directory), table.links(directory)]).toEqual([5, 7]);
    expect(table.digest(directory).equals(digest(5))).toBe(true);
    expect(table.parentIno(directory)).toBe(1);
    const link = table.slotOf(rememberLink(table, "ä/\u{1f600}"));
    expect(table.kind(link)).toBe(NODE_KIND.SYMLINK);
    expect(table.target(link)).toEqual(toUtf8("ä/\u{1f600}"));
    expect(table.size(link)).toBe(7);
  });

  it("shares inodes by content and tells apart what differs", () => {
    const table = new InodeTable();
    const distinct = [
      rememberFile(table, 1),
      rememberFile(table, 1, true),
      rememberFile(table, 1, false, 2),
      rememberFile(table, 2),
      rememberDirectory(table, 1, "a"),
      rememberDirectory(table, 1, "b"),
      rememberDirectory(table, 2, "a"),
      rememberLink(table, "content 1"),
      rememberLink(table, "content 2"),
    ];
    expect(new Set(distinct).size).toBe(distinct.length);
    expect(table.count).toBe(distinct.length + 1);
    expect(rememberFile(table, 1, true)).toBe(distinct[1]);
    expect(rememberDirectory(table, 1, "b")).toBe(distinct[5]);
    expect(rememberLink(table, "content 2")).toBe(distinct[8]);
    expect(table.count).toBe(distinct.length + 1);
  });

  it("gives numbers that are neither 0 nor 1, nor larger than a number can hold", () => {
    const table = new InodeTable();
    const zeros = { digest: B3Digest.fromBytes(new Uint8Array(32)), size: 0 };
    const place = { parentSlot: 1, index: 0 };
    for (const executable of [false, true]) {
      const slot = table.rememberFile({ ...zeros, executable, ...place });
      expect(table.ino(slot)).toBeGreaterThan(1);
    }
    const ones = { digest: B3Digest.fromBytes(new Uint8Array(32).fill(255)), size: 0 };
    const slot = table.rememberFile({ ...ones, executable: false, ...place });
    expect(table.ino(slot)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it("does not know a node id of before", () => {
    const table = new InodeTable();
    const first = rememberFile(table, 1);
    expect(table.forget(first, 1)).toBe(true);
    const second = rememberFile(table, 2);
    expect(table.slotOf(first)).toBe(0);
    expect(table.slotOf(second)).not.toBe(0);
    expect(second).not.toBe(first);
    expect(table.forget(first, 1)).toBe(false);
    expect(table.slotOf(second)).not.toBe(0);
  });

  it.each([0, 2, 63, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1, 2 ** 63, 2 ** 64, Number.NaN, -1])(
    "does not know the node id %d",
    (nodeId) => {
      const table = new InodeTable();
      expect(table.slotOf(nodeId)).toBe(0);
      expect(table.forget(nodeId, 1)).toBe(false);
    },
  );

  it.each([0, -1, Number.NaN])("forgets nothing for %d lookups", (lookups) => {
    const table = new InodeTable();
    const nodeId = rememberFile(table, 1);
    expect(table.forget(nodeId, lookups)).toBe(false);
    expect(table.slotOf(nodeId)).not.toBe(0);
  });

  it("takes more lookups than there were for all", () => {
    const table = new InodeTable();
    const nodeId = rememberFile(table, 1);
    expect(table.forget(nodeId, 2 ** 53)).toBe(true);
    expect(table.slotOf(nodeId)).toBe(0);
    expect(table.count).toBe(1);
  });

  it("uses slots again", () => {
    const table = new InodeTable();
    const slots = new Set<number>();
    for (let i = 0; i < 1000; i++) {
      const nodeId = rememberFile(table, i);
      slots.add(table.slotOf(nodeId));
      table.forget(nodeId, 1);
    }
    expect(slots.size).toBe(1);
  });

  it("gives a slot other node ids for a long time, and another generation after that", () => {
    const table = new InodeTable();
    const pairs = new Set<string>();
    const rounds = 2 ** 21 + 10;
    let last = 0;
    const file = { digest: digest(1), size: 1, executable: false, parentSlot: 1, index: 0 };
    for (let i = 0; i < rounds; i++) {
      last = table.nodeId(table.rememberFile(file));
      if (i < 10 || i >= rounds - 10) {
        pairs.add(`${last} ${table.generation(table.slotOf(last))}`);
      }
      table.forget(last, 1);
    }
    expect(pairs.size).toBe(20);
    expect(last).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER);
  });

  it("does what a map does", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
        const table = new InodeTable();
        const model = new Map<string, { nodeId: number; lookups: number }>();
        for (const { kind, i, lookups } of operations) {
          const key = `${kind} ${i}`;
          const known = model.get(key);
          if (lookups > 0) {
            if (known === undefined) continue;
            expect(table.forget(known.nodeId, lookups)).toBe(known.lookups <= lookups);
            known.lookups -= lookups;
            if (known.lookups > 0) continue;
            model.delete(key);
            expect(table.slotOf(known.nodeId)).toBe(0);
          } else {
            const nodeId = REMEMBER[kind](table, i);
            expect(nodeId).toBe(known?.nodeId ?? nodeId);
            model.set(key, { nodeId, lookups: (known?.lookups ?? 0) + 1 });
          }
        }
        expect(table.count).toBe(model.size + 1);
        const ids = [...model.values()].map(({ nodeId }) => nodeId);
        expect(new Set(ids).size).toBe(ids.length);
        for (const nodeId of ids) expect(table.slotOf(nodeId)).not.toBe(0);
      }),
      { seed: 20_261_121, numRuns: 200 },
    );
  });

  it("finds everything among many", () => {
    const table = new InodeTable();
    const ids = Array.from({ length: 20_000 }, (_, i) => rememberFile(table, i));
    for (const [i, nodeId] of ids.entries()) if (i % 3 === 0) table.forget(nodeId, 1);
    for (const [i, nodeId] of ids.entries()) {
      if (i % 3 === 0) expect(table.slotOf(nodeId)).toBe(0);
      else expect(rememberFile(table, i)).toBe(nodeId);
    }
    expect(table.count).toBe(1 + ids.filter((_, i) => i % 3 !== 0).length);
  });
});

const REMEMBER = {
  file: (table: InodeTable, i: number) => rememberFile(table, i),
  executable: (table: InodeTable, i: number) => rememberFile(table, i, true),
  directory: (table: InodeTable, i: number) => rememberDirectory(table, i, `name ${i % 3}`),
  link: (table: InodeTable, i: number) => rememberLink(table, `target ${i}`),
} as const;

/** To remember something, or to forget so many lookups of it. */
const operation = fc.record({
  kind: fc.constantFrom("file", "executable", "directory", "link"),
  i: fc.nat({ max: 12 }),
  lookups: fc.nat({ max: 3 }),
});
