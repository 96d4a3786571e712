import { create, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { type B3Digest, blake3, toUtf8 } from "@tvix/castore";
import { NOWHERE, seededBytes } from "@tvix/castore/testing";
import { BlobService, DirectorySchema, DirectoryService } from "@tvix/protos/castore";
import { PathInfoService } from "@tvix/protos/store";
import { STORE_PATH_DIGEST_LENGTH, StorePath } from "@tvix/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectRefusal } from "./refusal.js";
import { type Daemon, startDaemon } from "./start-daemon.js";
import { Stranger } from "./stranger.js";

/** Stored before each of the tests. */
const CONTENT = seededBytes(1, 1000);
const nowhere = NOWHERE.toBytes();

let daemon: Daemon;
let client: Stranger;

beforeAll(async () => {
  daemon = await startDaemon();
  client = new Stranger(`${daemon.host}:${daemon.port}`);
  await client.writeAll(BlobService.method.put, [{ data: CONTENT }]);
});

afterAll(async () => {
  client?.close();
  await daemon?.[Symbol.asyncDispose]();
});

type ProtoDirectory = MessageShape<typeof DirectorySchema>;

function digestOf(directory: ProtoDirectory): B3Digest {
  return blake3(toBinary(DirectorySchema, directory));
}

function leaf(target: string, ...names: string[]): ProtoDirectory {
  const symlinks = names.map((name) => ({ name: toUtf8(name), target: toUtf8(target) }));
  return create(DirectorySchema, { symlinks });
}

/** One whose children have these sizes; names are c0, c1 and so on. */
function parent(...children: (readonly [ProtoDirectory, bigint])[]): ProtoDirectory {
  return create(DirectorySchema, {
    directories: children.map(([child, size], i) => {
      return { name: toUtf8(`c${i}`), digest: digestOf(child).toBytes(), size };
    }),
  });
}

const LEAF = leaf("x", "a", "b");
const OTHER = leaf("y", "a");
const PARENT = parent([LEAF, 2n]);

/** For patterns: digests have "+" in them. */
function text(directory: ProtoDirectory): string {
  return String(digestOf(directory)).replaceAll("+", "\\+");
}

const CLOSURES: readonly (readonly [string, readonly ProtoDirectory[], RegExp])[] = [
  [
    "a child after its parent",
    [PARENT, LEAF],
    RegExp(`^Invalid directory closure: ${text(PARENT)} has "c0" \\(${text(LEAF)}\\) before`),
  ],
  ["a child that does not come", [parent([OTHER, 1n])], RegExp(`"c0" \\(${text(OTHER)}\\) before`)],
  [
    "a child of another size",
    [LEAF, parent([LEAF, 7n])],
    RegExp(`gives ${text(LEAF)} the size 7, but it is 2, or 4 by the doubled rule$`),
  ],
  [
    "sizes by one rule here and by the other there",
    [LEAF, OTHER, parent([LEAF, 2n], [OTHER, 2n])],
    RegExp(`gives ${text(OTHER)} the size 2, but other sizes in the closure follow the other`),
  ],
  ["two roots", [LEAF, OTHER], RegExp(`2 directories have no parent.*${text(LEAF)}`)],
  ["three roots", [OTHER, LEAF, PARENT, leaf("z", "a")], /2 directories have no parent|3 direc/],
  ["names out of order", [LEAF, leaf("x", "b", "a")], /^Invalid directory: .*"a".*"b"/],
  ["a name twice", [LEAF, leaf("x", "b", "b")], /^Invalid directory: .*"b"/],
  ["a name that leads away", [LEAF, PARENT, leaf("x", "..")], /^Invalid directory: .*"\.\."/],
  [
    "sizes that overflow",
    [LEAF, parent([LEAF, 2n ** 64n - 1n], [LEAF, 2n ** 64n - 1n])],
    /its total size exceeds 2\^64-1$/,
  ],
];

describe("Directory.Put", () => {
  it.each(CLOSURES)("refuses %s, and stores nothing", async (_, closure, says) => {
    const put = () => client.writeAll(DirectoryService.method.put, closure);
    await expectRefusal(daemon, client, put, { code: status.INTERNAL, says });
    for (const directory of closure) {
      const byWhat = { case: "digest", value: digestOf(directory).toBytes() } as const;
      const get = client.readAll(DirectoryService.method.get, { byWhat });
      await expect(get).rejects.toMatchObject({ code: status.NOT_FOUND });
    }
  });
});

describe("PathInfo.Put", () => {
  const hash = new Uint8Array(STORE_PATH_DIGEST_LENGTH).fill(9);
  const name = toUtf8(StorePath.of(hash, "hostile").baseName);
  const narinfo = { narSize: 5n, narSha256: new Uint8Array(32).fill(1) };
  const stored = { name, digest: blake3(CONTENT).toBytes(), size: BigInt(CONTENT.byteLength) };
  const byWhat = { case: "byOutputHash", value: hash } as const;

  it.each([
    ["directory", { case: "directory", value: { name, digest: nowhere, size: 3n } }],
    ["file", { case: "file", value: { name, digest: nowhere, size: 3n } }],
  ] as const)("refuses a root that is a %s which is not stored", async (_, node) => {
    const put = () => client.unary(PathInfoService.method.put, { node: { node }, narinfo });
    const says = RegExp(`${StorePath.of(hash, "hostile").baseName}.* is not stored$`);
    await expectRefusal(daemon, client, put, { code: status.FAILED_PRECONDITION, says });
    const get = client.unary(PathInfoService.method.get, { byWhat });
    await expect(get).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  it("refuses a NAR hash of another length", async () => {
    const node = { node: { case: "file", value: stored } } as const;
    const short = { ...narinfo, narSha256: new Uint8Array(31) };
    const put = () => client.unary(PathInfoService.method.put, { node, narinfo: short });
    const says = /^invalid path info.*31/i;
    await expectRefusal(daemon, client, put, { code: status.INVALID_ARGUMENT, says });
  });

  it("takes a NAR hash that is not true, as tvix does, and does not believe it", async () => {
    const node = { node: { case: "file", value: stored } } as const;
    const put = await client.unary(PathInfoService.method.put, { node, narinfo });
    expect(put.narinfo).toMatchObject(narinfo);
    const anonymous = { ...stored, name: new Uint8Array(0) };
    const nar = await client.unary(PathInfoService.method.calculateNAR, {
      node: { case: "file", value: anonymous },
    });
    expect(nar.narSha256).not.toEqual(narinfo.narSha256);
    expect(nar.narSize).toBeGreaterThan(stored.size);
  });
});
