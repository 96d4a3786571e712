import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toLatin1 } from "../bytes.js";
import { CastoreError } from "../errors.js";
import { expectSameBytes } from "../testing/expectations.js";
import { type TreeEventVisitor, TreeEventWriter, visitTreeEvents } from "./tree-events.js";
import { SMALL_FILE_BYTES } from "./tree-reader.js";

type Event =
  | readonly ["beginDirectory"]
  | readonly ["entry" | "symlink", string]
  | readonly ["endDirectory", Uint8Array]
  | readonly ["file" | "largeFile", number, boolean];

function events(maxLength: number): fc.Arbitrary<Event[]> {
  const text = (max: number) =>
    fc.uint8Array({ minLength: 1, maxLength: max }).map((bytes) => toLatin1(bytes));
  return fc.array(
    fc.oneof(
      fc.constant<Event>(["beginDirectory"]),
      text(255).map((name): Event => ["entry", name]),
      text(4095).map((target): Event => ["symlink", target]),
      fc.uint8Array({ maxLength: 2000 }).map((record): Event => ["endDirectory", record]),
      fc
        .tuple(fc.nat(SMALL_FILE_BYTES), fc.boolean())
        .map(([size, executable]): Event => ["file", size, executable]),
      fc
        .tuple(fc.maxSafeNat(), fc.boolean())
        .map(([size, executable]): Event => ["largeFile", size, executable]),
    ),
    { maxLength },
  );
}

function write(writer: TreeEventWriter, event: Event): void {
  switch (event[0]) {
    case "beginDirectory":
      writer.beginDirectory();
      break;
    case "endDirectory":
      writer.endDirectory(event[1]);
      break;
    case "file":
    case "largeFile":
      writer[event[0]](event[1], event[2]);
      break;
    default:
      writer[event[0]](event[1]);
  }
}

function read(bytes: Uint8Array): Event[] {
  const found: Event[] = [];
  const visitor: TreeEventVisitor = {
    beginDirectory: () => found.push(["beginDirectory"]),
    entry: (name) => found.push(["entry", toLatin1(name)]),
    endDirectory: (record) => found.push(["endDirectory", Uint8Array.from(record)]),
    symlink: (target) => found.push(["symlink", toLatin1(target)]),
    file: (size, executable) => found.push(["file", size, executable]),
    largeFile: (size, executable) => found.push(["largeFile", size, executable]),
  };
  visitTreeEvents(bytes, visitor);
  return found;
}

describe("TreeEventWriter and visitTreeEvents()", () => {
  it("give back any events, taken whenever", () => {
    return fc.assert(
      fc.property(events(40), fc.nat(40), (all, cut) => {
        const writer = new TreeEventWriter();
        for (const event of all.slice(0, cut)) write(writer, event);
        const first = writer.take();
        expect(writer.byteLength).toBe(0);
        for (const event of all.slice(cut)) write(writer, event);
        // The memory of what was taken is not written to any more.
        expect([...read(first), ...read(writer.take())]).toEqual(all);
      }),
      { seed: 3, numRuns: 100 },
    );
  });

  it("grow as far as it takes, by one event and by many", () => {
    const writer = new TreeEventWriter();
    const record = new Uint8Array(5_000_000).fill(7);
    writer.endDirectory(record);
    for (let i = 0; i < 100_000; i++) writer.entry(`name ${i}`);
    const found = read(writer.take());
    expect(found.length).toBe(100_001);
    if (found[0]?.[0] !== "endDirectory") expect.fail("It does not begin with the record");
    expectSameBytes(found[0][1], record);
    expect(found.at(-1)).toEqual(["entry", "name 99999"]);
  });

  it("know how long they are", () => {
    const writer = new TreeEventWriter();
    return fc.assert(
      fc.property(events(10), (all) => {
        for (const event of all) write(writer, event);
        const { byteLength } = writer;
        expect(writer.take().byteLength).toBe(byteLength);
      }),
      { seed: 4, numRuns: 20 },
    );
  });

  it("carry sizes of large files exactly", () => {
    const writer = new TreeEventWriter();
    writer.largeFile(Number.MAX_SAFE_INTEGER, true);
    expect(read(writer.take())).toEqual([["largeFile", Number.MAX_SAFE_INTEGER, true]]);
  });

  it("read a view into larger memory", () => {
    const writer = new TreeEventWriter();
    writer.entry("a");
    const taken = writer.take();
    const memory = new Uint8Array(taken.byteLength + 10).fill(0xff);
    memory.set(taken, 5);
    expect(read(memory.subarray(5, 5 + taken.byteLength))).toEqual([["entry", "a"]]);
  });

  it.each([0, 7, 255])("refuse the unknown event %i", (type) => {
    expect(() => read(Uint8Array.of(type))).toThrow(CastoreError);
  });
});
