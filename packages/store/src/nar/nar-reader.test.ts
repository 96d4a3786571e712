import { toUtf8 } from "@tvix/castore";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { treeOfEvents } from "../testing/nar-events.js";
import { type MemoryTree, referenceNar } from "../testing/nar-reference.js";
import { cut, fileNarNode, narDirectory, narStrings } from "../testing/nar-strings.js";
import { trees } from "../testing/tree-arbitrary.js";
import type { NarEvent } from "./nar-event.js";
import { NarParser } from "./nar-parser.js";
import { readNar } from "./nar-reader.js";

async function* toStream(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

function readAll(chunks: Iterable<Uint8Array>): Promise<MemoryTree> {
  return treeOfEvents(readNar(toStream(chunks)));
}

/** A tree with each kind of node and each kind of padding. */
const SMALL: MemoryTree = {
  type: "directory",
  entries: [
    ["a", { type: "file", content: toUtf8("12345678"), executable: true }],
    [
      "bcd",
      { type: "directory", entries: [[toUtf8("x"), { type: "symlink", target: toUtf8("/t") }]] },
    ],
    ["e".repeat(255), { type: "file", content: new Uint8Array(0), executable: false }],
    ["f", { type: "file", content: toUtf8("1"), executable: false }],
    ["g", { type: "directory", entries: [] }],
  ].map(([name, tree]) => [toUtf8(name as string), tree as MemoryTree] as const),
};

describe("readNar()", () => {
  it("reads what the reference writes, however it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        trees,
        fc.constantFrom(1, 7, 8, 100, 65_536, 1_000_000),
        async (tree, length) => {
          const nar = referenceNar(tree);
          // A byte at a time through a generator takes long.
          const chunks = [...cut(nar, nar.byteLength > 20_000 ? length + 500 : length)];
          expect(Buffer.compare(referenceNar(await readAll(chunks)), nar)).toBe(0);
        },
      ),
      { seed: 60, numRuns: 150 },
    );
  });

  it("reads a NAR cut in two anywhere", async () => {
    const nar = referenceNar(SMALL);
    for (let i = 0; i <= nar.byteLength; i++) {
      expect(await readAll([nar.subarray(0, i), nar.subarray(i)])).toEqual(SMALL);
    }
  });

  it("takes no notice of empty chunks", async () => {
    const chunks = [...cut(referenceNar(SMALL), 3)].flatMap((chunk) => [new Uint8Array(0), chunk]);
    expect(await readAll([...chunks, new Uint8Array(0)])).toEqual(SMALL);
  });

  it("says what it reads in the order of the archive", async () => {
    const events: string[] = [];
    for await (const event of readNar(toStream([referenceNar(SMALL)]))) {
      const name = "name" in event ? ` ${String(event.name ?? "").slice(0, 3)}` : "";
      events.push(event.type + name);
    }
    expect(events).toEqual([
      ...["directory ", "file a", "content", "file-end", "directory bcd", "symlink x"],
      ...["directory-end", "file eee", "file-end", "file f", "content", "file-end"],
      ...["directory g", "directory-end", "directory-end"],
    ]);
  });

  it("gives content out without a copy", async () => {
    const nar = referenceNar({
      type: "file",
      content: new Uint8Array(5000).fill(7),
      executable: false,
    });
    for await (const event of readNar(toStream([nar]))) {
      if (event.type === "content") expect(event.bytes.buffer).toBe(nar.buffer);
    }
  });

  it("does not say that the root has ended before the source has", async () => {
    const nar = narStrings("nix-archive-1", [fileNarNode("x")]);
    const types: string[] = [];
    const read = async () => {
      for await (const event of readNar(toStream([nar, Uint8Array.of(0)]))) types.push(event.type);
    };
    await expect(read()).rejects.toMatchObject({ reason: "trailing-data", offset: nar.byteLength });
    expect(types).toEqual(["file", "content"]);
  });

  it("takes case and Unicode variants for different names", async () => {
    const names = ["A", "a", "\u00c5", "\u212b", "e\u0301", "\u00e9", "stra\u00dfe", "strasse"];
    const sorted = names.map((name) => toUtf8(name)).sort((a, b) => Buffer.compare(a, b));
    const nar = narDirectory(...sorted.map((name) => [name, fileNarNode("")] as const));
    const tree = await readAll([nar]);
    expect(tree.type === "directory" && tree.entries.map(([name]) => name)).toEqual(sorted);
  });

  it("takes names with two dots, a tilde or any other byte for plain names", async () => {
    const names = ["...", "..a", "a..b", "a~nix~case~hack~1", "\u{1f600}"].map((name) =>
      toUtf8(name),
    );
    const sorted = [...names, Uint8Array.of(0xff), Uint8Array.of(1)].sort(Buffer.compare);
    const tree = await readAll([
      narDirectory(...sorted.map((name) => [name, fileNarNode("")] as const)),
    ]);
    expect(tree.type === "directory" && tree.entries.map(([name]) => name)).toEqual(sorted);
  });

  it("closes its source when it is left early, and when it fails", async () => {
    let closed = 0;
    async function* source(nar: Uint8Array): AsyncGenerator<Uint8Array> {
      try {
        yield* cut(nar, 50);
      } finally {
        closed++;
      }
    }
    for await (const event of readNar(source(referenceNar(SMALL)))) {
      if (event.type === "content") break;
    }
    expect(closed).toBe(1);
    const bad = referenceNar(SMALL).fill(1, 200);
    await expect(treeOfEvents(readNar(source(bad)))).rejects.toMatchObject({
      name: "NarFormatError",
    });
    expect(closed).toBe(2);
  });

  it("stops at a size", async () => {
    const nar = referenceNar(SMALL);
    const read = (maxNarSize: bigint) =>
      treeOfEvents(readNar(toStream(cut(nar, 30)), { limits: { maxNarSize } }));
    await expect(read(BigInt(nar.byteLength))).resolves.toEqual(SMALL);
    for (const most of [0n, 100n, BigInt(nar.byteLength) - 1n]) {
      await expect(read(most)).rejects.toMatchObject({
        reason: "nar-too-large",
        offset: Number(most),
      });
    }
  });

  it("ends with the reason of its signal, even while the source keeps it waiting", async () => {
    const controller = new AbortController();
    async function* source(): AsyncGenerator<Uint8Array> {
      yield referenceNar(SMALL).subarray(0, 100);
      await new Promise(() => undefined);
    }
    const events = readNar(source(), { signal: controller.signal });
    await events.next();
    const rest = treeOfEvents(events);
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(rest).rejects.toBe(reason);
  });

  it("passes failures of the source through", async () => {
    const failure = new Error("line cut");
    async function* source(): AsyncGenerator<Uint8Array> {
      yield referenceNar(SMALL).subarray(0, 100);
      throw failure;
    }
    await expect(treeOfEvents(readNar(source()))).rejects.toBe(failure);
  });

  it("reads deeper than a call stack would bear where that is allowed", async () => {
    const levels = 10_000;
    const begin = narStrings("(", "type", "directory", "entry", "(", "name", "d", "node");
    const end = narStrings(")", ")");
    async function* deep(): AsyncGenerator<Uint8Array> {
      yield narStrings("nix-archive-1");
      for (let i = 0; i < levels; i++) yield begin;
      yield fileNarNode("x");
      for (let i = 0; i < levels; i++) yield end;
    }
    let depth = 0;
    for await (const event of readNar(deep(), { limits: { maxDepth: Number.POSITIVE_INFINITY } })) {
      if (event.type === "directory") depth++;
    }
    expect(depth).toBe(levels);
    await expect(treeOfEvents(readNar(deep()))).rejects.toMatchObject({ reason: "depth" });
  });
});

describe("NarParser", () => {
  it("holds no more than a string across chunks", () => {
    const parser = new NarParser();
    const events: NarEvent[] = [];
    for (const byte of cut(referenceNar(SMALL), 1)) {
      parser.push(byte);
      for (let event = parser.next(); event !== undefined; event = parser.next())
        events.push(event);
    }
    parser.end();
    expect(parser.complete).toBe(true);
    expect(events).toHaveLength(15 + 7);
  });
});
