import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { blake3, Directory, putBytes, readBlob, toUtf8 } from "@tvix/castore";
import { PathInfo, SigningKey, StorePath } from "@tvix/store";
import { SYMLINK_NODE } from "@tvix/store/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseComposition } from "../document/parse-composition.js";
import { type Composition, openComposition } from "../open/open-composition.js";
import { StoreResources } from "../open/store-resources.js";
import { planComposition } from "../plan/plan-composition.js";
import { type ServiceKind, TABLE_OF_KIND } from "../service-kind.js";
import { defaultRegistry } from "./default-registry.js";

const REGISTRY = defaultRegistry();
const KEY = SigningKey.generate("test-1");
const NOWHERE = blake3(toUtf8("nowhere"));

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "tvix-combinators-"));
  writeFileSync(join(directory, "key"), KEY.formatSecret());
  writeFileSync(join(directory, "bad-key"), "test-1:hush");
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

async function open(toml: string) {
  const document = parseComposition(toml, join(directory, "store.toml"), REGISTRY);
  return await openComposition(planComposition(document, REGISTRY), {
    resources: new StoreResources(),
  });
}

/** A composition whose service of one kind is as it says, over two in memory. */
async function openKind(kind: ServiceKind, root: string) {
  const tables = Object.entries(TABLE_OF_KIND).map(([other, table]) =>
    other === kind
      ? `[${table}.root]\n${root}\n[${table}.a]\ntype = "memory"\n[${table}.b]\ntype = "memory"`
      : `[${table}.root]\ntype = "memory"`,
  );
  return await open(tables.join("\n"));
}

const SEVERAL = [
  `type = "fallback"\nstores = ["&a", "b"]\ntimeout = "5s"\nfailures = 2\nretry_after = "1s"`,
  `type = "priority"\nservices = { "&b" = 2, "&a" = 1 }`,
  `type = "race"\nstores = ["&a", "b"]`,
  `type = "cache"\nnear = "a"\nfar = "b"\nwrites = "through"\nmisses_for = "1s"`,
  `type = "combined"\nlocal = "a"\nremote = "b"`,
  `type = "limit"\ninner = "a"\nmax_calls = 3`,
];

const MIRROR = `type = "mirror"\nstores = ["a", "b"]\nquorum = 2\nheal = false`;

describe("combinators of blobs", () => {
  it.each([
    ...SEVERAL,
    MIRROR,
    `type = "verified"\ninner = "a"`,
    `type = "limit"\ninner = "a"\nmax_bytes_in_flight = "1MiB"`,
    `type = "cache"\nnear = "a"\nfar = "b"\nmax_fill = "1MiB"\nmax_bytes_in_flight = "8MiB"\ntimeout = "5s"\ntrusts_chunk_lists = true`,
  ])("are made of %j", async (root) => {
    await using store = await openKind("blobs", root);
    const digest = await putBytes(store.blobs, toUtf8("hello"));
    expect(await readBlob(store.blobs, digest, { maxBytes: 10 })).toEqual(toUtf8("hello"));
  });

  it("can be read only", async () => {
    await using store = await openKind("blobs", `type = "read-only"\ninner = "a"`);
    await expect(putBytes(store.blobs, toUtf8("hello"))).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
  });
});

describe("combinators of Directories", () => {
  it.each([...SEVERAL, MIRROR, `type = "verified"\ninner = "a"`])(
    "are made of %j",
    async (root) => {
      await using store = await openKind("directories", root);
      const digest = await store.directories.put(Directory.EMPTY);
      expect(await store.directories.get(digest)).toEqual(Directory.EMPTY);
    },
  );
});

describe("cache", () => {
  it("names the far service that is left alone", async () => {
    const gone = "grpc+unix:/nowhere/tvix.sock";
    const ask = async (kind: ServiceKind, call: (store: Composition) => Promise<unknown>) => {
      await using store = await openKind(kind, `type = "cache"\nnear = "a"\nfar = "${gone}"`);
      for (let i = 0; i < 3; i++) await expect(call(store)).rejects.toThrow();
      await expect(call(store)).rejects.toThrow(`Cannot reach "${gone}": it has failed`);
    };
    await Promise.all([
      ask("blobs", ({ blobs }) => blobs.openRead(NOWHERE)),
      ask("directories", ({ directories }) => directories.get(NOWHERE)),
      ask("pathInfos", ({ pathInfos }) => pathInfos.get(new Uint8Array(20))),
    ]);
  });
});

describe("mirror", () => {
  it("refuses a quorum that cannot be", async () => {
    const opening = openKind("directories", `type = "mirror"\nstores = ["a"]\nquorum = 2`);
    await expect(opening).rejects.toThrow("has 1 stores, which are less than its quorum of 2");
  });
});

describe("combinators of path infos", () => {
  const pathInfo = PathInfo.of({
    storePath: StorePath.of(new Uint8Array(20), "name"),
    node: SYMLINK_NODE,
    narSize: 120n,
    narSha256: new Uint8Array(32),
  });
  const hash = pathInfo.storePath.digestBytes();

  it.each([
    ...SEVERAL,
    MIRROR,
    `type = "lru"\ncapacity = 10`,
    `type = "lru"\ncapacity = 1\ninner = "a"`,
    `type = "verified"\ninner = "a"\naccept_unsigned = true`,
    `type = "signing"\ninner = "a"\nkeyfile = "key"\non_get = true`,
  ])("are made of %j", async (root) => {
    await using store = await openKind("pathInfos", root);
    await store.pathInfos.put(pathInfo);
    expect((await store.pathInfos.get(hash))?.storePath).toEqual(pathInfo.storePath);
  });

  it("sign with the key of a file beside the composition", async () => {
    const root = `type = "keyfile-signing"\ninner = "a"\nkeyfile = "key"`;
    await using store = await openKind("pathInfos", root);
    const { signatures } = await store.pathInfos.put(pathInfo);
    expect(signatures.map(({ keyName }) => keyName)).toContain("test-1");
  });

  it("believe whom they are told to", async () => {
    const key = KEY.publicKey.toString();
    const root = `type = "verified"\ninner = "a"\ntrusted_public_keys = [${JSON.stringify(key)}]`;
    await using store = await openKind("pathInfos", root);
    await store.pathInfos.put(pathInfo);
    await expect(store.pathInfos.get(hash)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  });

  it.each([
    ["nowhere", /pathinfoservices.root: cannot read .*nowhere: no such file or directory$/],
    ["bad-key", /bad-key does not hold one secret key of Nix/],
  ])("say what is wrong with the key in %s, and not what it is", async (file, message) => {
    const opening = openKind("pathInfos", `type = "signing"\ninner = "a"\nkeyfile = "${file}"`);
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.not.toThrow("hush");
  });

  it("can be read only", async () => {
    await using store = await openKind("pathInfos", `type = "read-only"\ninner = "a"`);
    await expect(store.pathInfos.put(pathInfo)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});

describe("a cache before a local store", () => {
  it("knows after a restart what it has read", async () => {
    const near = join(directory, "near");
    const cached = (far: string) =>
      Object.values(TABLE_OF_KIND)
        .map((table) => `[${table}.root]\ntype = "cache"\nnear = "local://${near}"\nfar = "${far}"`)
        .join("\n");
    const content = toUtf8("far away");
    const far = `local://${join(directory, "far")}`;
    const first = await open(`[store]\naddress = "${far}"`);
    const digest = await putBytes(first.blobs, content);
    await first.close();

    const warm = await open(cached(far));
    expect(await readBlob(warm.blobs, digest, { maxBytes: 99 })).toEqual(content);
    await warm.close();

    await using alone = await open(cached("memory:"));
    expect(await readBlob(alone.blobs, digest, { maxBytes: 99 })).toEqual(content);
  });

  it("keeps nothing more when the store takes what it may, and still reads", async () => {
    const near = join(directory, "full");
    const far = `local://${join(directory, "source")}`;
    const first = await open(`[store]\naddress = "${far}"`);
    const digest = await putBytes(first.blobs, toUtf8("not kept"));
    await first.close();
    const filled = await open(`[store]\naddress = "local://${near}"`);
    await putBytes(filled.blobs, toUtf8("kept"));
    await filled.close();

    const table = (name: string) =>
      `[${name}.root]\ntype = "cache"\nnear = "local://${near}"\nfar = "${far}"\nmax_near_size = "1B"`;
    const cached = await open(Object.values(TABLE_OF_KIND).map(table).join("\n"));
    expect(await readBlob(cached.blobs, digest, { maxBytes: 99 })).toEqual(toUtf8("not kept"));
    await cached.close();

    await using alone = await open(`[store]\naddress = "local://${near}"`);
    expect(await alone.blobs.has(digest)).toBe(false);
  });

  it("cannot be bounded where the near store is not local", async () => {
    const opening = openKind(
      "blobs",
      `type = "cache"\nnear = "a"\nfar = "b"\nmax_near_size = "1B"`,
    );
    await expect(opening).rejects.toThrow("max_near_size is for a near store of type local");
  });
});
