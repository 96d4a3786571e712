import {
  closeSync,
  constants,
  ftruncateSync,
  openSync,
  readSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { fileNode, putBytes } from "@tvix/castore";
import { LocalStore } from "@tvix/castore/local";
import { PathInfo, StorePath } from "@tvix/store";
import { LocalPathInfoService } from "@tvix/store/local";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noise, TREES } from "../cli/trees.js";
import { MountRig, NO_MOUNTS, shellText } from "./mount-rig.js";

const MIB = 1 << 20;
const GIB = 1 << 30;

let rig: MountRig;
let store: string;

beforeAll(async () => {
  if (NO_MOUNTS !== undefined) return;
  rig = await MountRig.create();
  store = (await rig.mount({ options: ["--list-root"] })).path;
});

afterAll(() => rig?.remove());

/** Numbers from 0 to 2^32, the same in each run (xorshift32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

describe.skipIf(NO_MOUNTS)("a store of 50,000 paths", () => {
  const COUNT = 50_000;
  const names: string[] = [];
  let path: string;

  beforeAll(async () => {
    const directory = rig.sandbox.path("many");
    const local = await LocalStore.open(directory);
    const pathInfos = LocalPathInfoService.of(local);
    const node = fileNode(await putBytes(local.blobs, noise(10, 1)), 10n);
    const digest = new DataView(new ArrayBuffer(20));
    for (let begin = 0; begin < COUNT; begin += 5000) {
      const puts: Promise<unknown>[] = [];
      for (let i = begin; i < begin + 5000; i++) {
        digest.setUint32(0, Math.imul(i, 2_654_435_761));
        digest.setUint32(8, i);
        // Names of all lengths, so that replies end everywhere.
        const storePath = StorePath.of(new Uint8Array(digest.buffer), "n".repeat(1 + (i % 200)));
        names.push(storePath.baseName);
        puts.push(
          pathInfos.put(
            PathInfo.of({ storePath, node, narSize: 120n, narSha256: new Uint8Array(32) }),
          ),
        );
      }
      await Promise.all(puts);
    }
    await local.close();
    names.sort();
    path = (await rig.mount({ options: ["--list-root", "--data-dir", directory] })).path;
  });

  const expected = (): string => `${names.join("\n")}\n`;

  it.each([
    ["ls", 'LC_ALL=C ls "$1"'],
    ["ls -f", 'ls -f "$1" | grep -v "^\\.\\.\\?$" | LC_ALL=C sort'],
    ["find", `find "$1" -mindepth 1 -type f -perm 444 -printf '%P\\n' | LC_ALL=C sort`],
    ["getdents in small pieces", "python"],
  ])("is listed in full: %s", async (_, line) => {
    const script =
      "import os,sys; print('\\n'.join(sorted(e.name for e in os.scandir(sys.argv[1]))))";
    const list = line === "python" ? `/usr/bin/python3 -c "${script}" "$1"` : line;
    expect((await shellText(list, path)) === expected()).toBe(true);
  });

  it("is listed by several at once", async () => {
    const lists = await Promise.all([1, 2, 3].map(() => shellText('LC_ALL=C ls "$1"', path)));
    expect(lists.map((list) => list === expected())).toEqual([true, true, true]);
  });
});

describe.skipIf(NO_MOUNTS)("a directory of 100,000 entries", () => {
  it("is listed in full", async () => {
    const source = rig.sandbox.path("wide");
    TREES.find(({ about }) => about.startsWith("100,000"))?.build(source);
    const mounted = join(store, await rig.import(source));
    const list = 'ls -f "$1" | LC_ALL=C sort';
    const found = await shellText(list, mounted);
    expect(found === (await shellText(list, source))).toBe(true);
    expect(found.split("\n")).toHaveLength(100_000 + 3);
    const sizes = `find "$1" -type f -empty | wc -l`;
    expect(await shellText(sizes, mounted)).toBe("100000\n");
  });
});

describe.skipIf(NO_MOUNTS)("a file of more than 4 GiB", () => {
  it("is read where there are holes, and where there is data", async () => {
    const source = rig.sandbox.path("sparse");
    const size = 4 * GIB + 12_345;
    const fd = openSync(source, "w");
    ftruncateSync(fd, size);
    const places = [0, 2 * GIB - 2, 4 * GIB - 3, size - 5];
    for (const [i, at] of places.entries()) writeSync(fd, `data${i}`, at);
    closeSync(fd);
    const mounted = join(store, await rig.import(source));
    expect(await shellText('stat -c %s "$1"', mounted)).toBe(`${size}\n`);
    const opened = openSync(mounted, "r");
    for (const [i, at] of places.entries()) {
      const buffer = Buffer.alloc(16);
      const length = readSync(opened, buffer, 0, 10, at);
      expect(buffer.toString("latin1", 0, length)).toBe(
        `data${i}\0\0\0\0\0`.slice(0, Math.min(10, size - at)),
      );
    }
    expect(readSync(opened, Buffer.alloc(10), 0, 10, size)).toBe(0);
    closeSync(opened);
    // Nothing else is in it.
    const stripped = await shellText(`tr -d '\\0' < "$1"`, mounted);
    expect(stripped).toBe("data0data1data2data3");
  });
});

describe.skipIf(NO_MOUNTS)("random reads", () => {
  it.each([
    ["through the page cache", 0],
    ["past it", constants.O_DIRECT],
  ])("give what the original has: %s", async (_, flag) => {
    const SIZE = 24 * MIB + 4321;
    const original = noise(SIZE, 77);
    original.fill(0, 5 * MIB, 9 * MIB);
    writeFileSync(rig.sandbox.path("random"), original);
    const name = await rig.import(rig.sandbox.path("random"));
    const borders = await chunkBorders(rig.sandbox.path("data"), name);
    expect(borders.length).toBeGreaterThan(20);
    // Each time a mount of its own: what the one before has left in the page cache is of no use.
    const { path } = await rig.mount();
    const fd = openSync(join(path, name), constants.O_RDONLY | flag);
    const next = numbers(4711);
    const buffer = Buffer.alloc(MIB);
    const check = (offset: number, size: number): void => {
      const length = readSync(fd, buffer, 0, size, offset);
      const wanted = original.subarray(offset, offset + size);
      const isRight = length === wanted.length && buffer.subarray(0, length).equals(wanted);
      if (!isRight) throw new Error(`Wrong bytes at ${offset}, length ${size}`);
    };
    for (const border of borders) {
      for (const [before, length] of [
        [1, 2],
        [0, 1],
        [100, 5000],
        [4096, 8192],
      ] as const) {
        check(Math.max(0, border - before), length);
      }
    }
    for (let i = 0; i < 1500; i++) {
      const size = 1 + (next() % (i % 10 === 0 ? MIB : 20_000));
      check(next() % (SIZE + 1000), size);
    }
    closeSync(fd);
  });
});

/** Where the chunks of a blob begin, the first one left out, and its end. */
async function chunkBorders(directory: string, name: string): Promise<readonly number[]> {
  await using local = await LocalStore.open(directory, { readOnly: true });
  const hash = StorePath.parse(name).digestBytes();
  const node = (await LocalPathInfoService.of(local).get(hash))?.node;
  const chunks = node?.type === "file" ? await local.blobs.chunks(node.digest) : undefined;
  let at = 0;
  return (chunks ?? []).map(({ size }) => {
    at += Number(size);
    return at;
  });
}
