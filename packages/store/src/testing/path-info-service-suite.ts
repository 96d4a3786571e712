import type { Node } from "@tvix/castore";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { contentAddress } from "../content-address.js";
import type { CastoreServices } from "../nar/renderer.js";
import { HASH_LENGTHS, type HashAlgorithm, NixHash } from "../nix-hash.js";
import type { PathInfo } from "../path-info.js";
import type { PathInfoService } from "../pathinfoservice/path-info-service.js";
import { Signature } from "../signature/signature.js";
import { StorePath } from "../store-path/store-path.js";
import { encodePathInfo } from "../wire/path-info-codec.js";
import { SYMLINK_NODE, storeDirectory, storeFile } from "./nar-fixtures.js";
import { DUMMY_PATH_INFO, digestOf, pathInfoOf, SYMLINK_PATH_INFO } from "./path-info-fixtures.js";

/** One implementation under test, with fresh state. */
export interface PathInfoServiceHarness {
  readonly service: PathInfoService;
  /** Where the suite stores roots before it puts path infos of them; needed when these are checked. */
  readonly roots?: CastoreServices;
  /** Closes and opens again on the same data, where data outlives the service. */
  readonly reopen?: () => Promise<PathInfoService>;
  readonly close?: () => Promise<void>;
}

export interface PathInfoServiceSuiteOptions {
  /** Set when `put` takes path infos whose root is not stored, with the reason. */
  readonly noRootCheck?: { readonly reason: string };
  /** Set when `put` does not show what it replaces, with the reason. */
  readonly noReplaceHook?: { readonly reason: string };
}

const SIGNATURES = {
  one: Signature.of("key-1", new Uint8Array(64).fill(1)),
  two: Signature.of("key-2", new Uint8Array(64).fill(2)),
};

function expectEqual(actual: PathInfo | undefined, expected: PathInfo): void {
  expect(actual).toBeDefined();
  if (actual !== undefined) expect(encodePathInfo(actual)).toEqual(encodePathInfo(expected));
}

async function listAll(service: PathInfoService): Promise<string[]> {
  const names: string[] = [];
  for await (const pathInfo of service.list()) names.push(pathInfo.storePath.baseName);
  return names;
}

/** One path info of each kind of root, and one with everything that a path info can have. */
async function variants(roots: CastoreServices | undefined): Promise<[string, PathInfo][]> {
  const store = async (put: (services: CastoreServices) => Promise<Node>) =>
    roots === undefined ? SYMLINK_NODE : put(roots);
  const bytes = (algorithm: HashAlgorithm) =>
    new Uint8Array(HASH_LENGTHS[algorithm]).map((_, i) => i);
  const file = await store((services) => storeFile(services, Uint8Array.of(1, 2), true));
  const empty = await store((services) => storeDirectory(services, {}));
  const full = await store((services) => storeDirectory(services, { file, link: SYMLINK_NODE }));
  return [
    ["a link", SYMLINK_PATH_INFO],
    ["a file", pathInfoOf(digestOf(1), { node: file })],
    ["an empty directory", pathInfoOf(digestOf(2), { node: empty })],
    [
      "everything",
      pathInfoOf(digestOf(3), {
        node: full,
        narSize: 2n ** 63n - 1n,
        references: [3, 1, 2].map((first) => StorePath.of(digestOf(first), `ref-${first}`)),
        signatures: [
          Signature.of("key-1", new Uint8Array(64).fill(1)),
          Signature.of("", new Uint8Array(64).fill(2)),
        ],
        deriver: StorePath.of(digestOf(9), "deriver"),
        contentAddress: contentAddress("flat", NixHash.of("sha512", bytes("sha512"))),
      }),
    ],
  ];
}

/** The behaviour that every {@link PathInfoService} has. */
export function pathInfoServiceSuite(
  name: string,
  open: () => Promise<PathInfoServiceHarness>,
  options: PathInfoServiceSuiteOptions = {},
): void {
  describe(`PathInfoService conformance: ${name}`, () => {
    let harness: PathInfoServiceHarness;
    let service: PathInfoService;
    beforeEach(async () => {
      harness = await open();
      service = harness.service;
    });
    afterEach(async () => {
      await harness.close?.();
    });

    describe("get()", () => {
      it("returns undefined for an unknown output hash", async () => {
        await expect(service.get(digestOf(1))).resolves.toBeUndefined();
      });

      it.each([0, 19, 21, 32])("refuses an output hash of %i bytes", async (length) => {
        await expect(service.get(new Uint8Array(length))).rejects.toMatchObject({
          code: "INVALID_ARGUMENT",
        });
      });

      it("does not confuse output hashes that differ in one byte", async () => {
        const pathInfo = pathInfoOf(digestOf(1, 2));
        await service.put(pathInfo);
        await expect(service.get(digestOf(1, 3))).resolves.toBeUndefined();
        await expect(service.get(digestOf(2, 2))).resolves.toBeUndefined();
        expectEqual(await service.get(digestOf(1, 2)), pathInfo);
      });

      it("rejects with the reason of an aborted signal", async () => {
        const reason = new Error("enough");
        const signal = AbortSignal.abort(reason);
        await expect(service.get(digestOf(1), { signal })).rejects.toBe(reason);
      });
    });

    describe("put()", () => {
      it("stores what get() gives back, for every kind of root and field", async () => {
        for (const [, pathInfo] of await variants(harness.roots)) {
          expectEqual(await service.put(pathInfo), pathInfo);
          expectEqual(await service.get(pathInfo.storePath.digestBytes()), pathInfo);
        }
      });

      it("replaces what was known under the same output hash", async () => {
        await service.put(pathInfoOf(digestOf(1), { narSize: 1n }));
        const later = pathInfoOf(digestOf(1), { narSize: 2n });
        await service.put(later);
        expectEqual(await service.get(digestOf(1)), later);
        await expect(listAll(service)).resolves.toHaveLength(1);
      });

      it("keeps what is known of the same content, and not said again", async () => {
        const known = pathInfoOf(digestOf(1), {
          signatures: [SIGNATURES.one],
          deriver: StorePath.of(digestOf(9), "deriver"),
          contentAddress: contentAddress("nar", NixHash.of("sha256", new Uint8Array(32))),
        });
        await service.put(known);
        const { deriver, contentAddress: address } = known;
        const signatures = [SIGNATURES.one, SIGNATURES.two];
        const merged = pathInfoOf(digestOf(1), { signatures, deriver, contentAddress: address });
        const added = pathInfoOf(digestOf(1), { signatures: [SIGNATURES.two] });
        expectEqual(await service.put(added), merged);
        expectEqual(await service.get(digestOf(1)), merged);
      });

      it("keeps nothing of other content under the same output hash", async () => {
        await service.put(pathInfoOf(digestOf(1), { signatures: [SIGNATURES.one] }));
        const other = pathInfoOf(digestOf(1), { narSha256: new Uint8Array(32).fill(8) });
        expectEqual(await service.put(other), other);
        expectEqual(await service.get(digestOf(1)), other);
      });

      it("loses no signature of many that are put at a time", async () => {
        const all = Array.from({ length: 20 }, (_, i) =>
          Signature.of(`key-${i}`, new Uint8Array(64).fill(i)),
        );
        const putOne = (signature: Signature) =>
          service.put(pathInfoOf(digestOf(1), { signatures: [signature] }));
        await Promise.all(all.map(putOne));
        const stored = await service.get(digestOf(1));
        const texts = (signatures: readonly Signature[] = []) =>
          signatures.map((signature) => signature.format()).sort();
        expect(texts(stored?.signatures)).toEqual(texts(all));
      });

      it("shows what it replaces, and leaves what is not to be replaced", async (context) => {
        if (options.noReplaceHook !== undefined) return context.skip(options.noReplaceHook.reason);
        const first = pathInfoOf(digestOf(1), { narSize: 1n });
        const other = pathInfoOf(digestOf(1), { narSize: 2n });
        const shown: PathInfo[] = [];
        await service.put(first, { onReplace: (known) => void shown.push(known) });
        expect(shown).toEqual([]);
        const onReplace = (known: PathInfo): void => {
          shown.push(known);
          throw new Error("keep it");
        };
        await expect(service.put(other, { onReplace })).rejects.toThrow("keep it");
        expectEqual(shown[0], first);
        expectEqual(await service.get(digestOf(1)), first);
      });

      it("takes the same path info from many callers at a time", async () => {
        const pathInfo = pathInfoOf(digestOf(1));
        await Promise.all(Array.from({ length: 20 }, () => service.put(pathInfo)));
        await expect(listAll(service)).resolves.toEqual([pathInfo.storePath.baseName]);
      });

      it("does not keep the arrays of its caller", async () => {
        const narSha256 = new Uint8Array(32).fill(1);
        await service.put(pathInfoOf(digestOf(1), { narSha256 }));
        narSha256.fill(2);
        const stored = await service.get(digestOf(1));
        expect(stored?.narSha256).toEqual(new Uint8Array(32).fill(1));
        stored?.narSha256.fill(3);
        const again = await service.get(digestOf(1));
        expect(again?.narSha256).toEqual(new Uint8Array(32).fill(1));
      });

      it("stores nothing when its signal is aborted", async () => {
        const reason = new Error("enough");
        const signal = AbortSignal.abort(reason);
        await expect(service.put(pathInfoOf(digestOf(1)), { signal })).rejects.toBe(reason);
        await expect(service.get(digestOf(1))).resolves.toBeUndefined();
      });

      it("refuses a path info whose root is not stored", async (context) => {
        if (options.noRootCheck !== undefined) return context.skip(options.noRootCheck.reason);
        await expect(service.put(DUMMY_PATH_INFO)).rejects.toMatchObject({
          code: "MISSING_REFERENCE",
        });
        await expect(listAll(service)).resolves.toEqual([]);
      });
    });

    describe("list()", () => {
      it("yields nothing when nothing is stored", async () => {
        await expect(listAll(service)).resolves.toEqual([]);
      });

      it("yields each path info once, in the byte order of the output hashes", async () => {
        const order = [0x00, 0x01, 0x7f, 0x80, 0xc3, 0xff];
        for (const first of [0x80, 0x01, 0xff, 0x00, 0xc3, 0x7f]) {
          await service.put(pathInfoOf(digestOf(first)));
        }
        const expected = order.map((first) => pathInfoOf(digestOf(first)).storePath.baseName);
        await expect(listAll(service)).resolves.toEqual(expected);
      });

      it("can be left early and started again", async () => {
        for (let first = 0; first < 5; first++) await service.put(pathInfoOf(digestOf(first)));
        for await (const pathInfo of service.list()) {
          expect(pathInfo.storePath.digestBytes()[0]).toBe(0);
          break;
        }
        await expect(listAll(service)).resolves.toHaveLength(5);
      });

      it("ends with the reason of an aborted signal", async () => {
        await service.put(pathInfoOf(digestOf(1)));
        const reason = new Error("enough");
        const list = service.list({ signal: AbortSignal.abort(reason) });
        await expect(list[Symbol.asyncIterator]().next()).rejects.toBe(reason);
      });
    });

    it("knows everything again after it was closed and opened", async ({ skip }) => {
      if (harness.reopen === undefined) return skip("its data does not outlive it");
      const stored = await variants(harness.roots);
      for (const [, pathInfo] of stored) await service.put(pathInfo);
      const reopened = await harness.reopen();
      for (const [, pathInfo] of stored) {
        expectEqual(await reopened.get(pathInfo.storePath.digestBytes()), pathInfo);
      }
      await expect(listAll(reopened)).resolves.toHaveLength(stored.length);
    });
  });
}
