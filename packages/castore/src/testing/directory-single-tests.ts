import { describe, expect, it } from "vitest";
import type { B3Digest } from "../digest.js";
import { Directory } from "../nodes/directory.js";
import { directoryNode, fileNode } from "../nodes/node.js";
import { PathComponent } from "../path/component.js";
import { encodeDirectory } from "../wire/directory-codec.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { directoryOf, largeDirectory, NOWHERE, nodeOf } from "./directory-builders.js";
import type { DirectoryServiceUnderTest } from "./directory-service-suite.js";
import { expectSameBytes } from "./expectations.js";
import { DIRECTORY_FIXTURES, directoryFixture, EMPTY_DIGEST } from "./fixtures.js";

const FILE = fileNode(EMPTY_DIGEST, 1n);

/** @internal */
export function directorySingleTests(test: DirectoryServiceUnderTest): void {
  async function expectStored(digest: B3Digest, directory: Directory): Promise<void> {
    const stored = await test.service().get(digest);
    if (stored === undefined) expect.fail(`Directory ${digest} is not stored`);
    expectSameBytes(encodeDirectory(stored), encodeDirectory(directory));
  }

  describe("get()", () => {
    it("returns undefined for a Directory that is not stored", async () => {
      expect(await test.service().get(NOWHERE)).toBeUndefined();
      await test.service().put(directoryOf({ a: FILE }));
      expect(await test.service().get(NOWHERE)).toBeUndefined();
    });

    it("rejects with the reason of its signal", async () => {
      const reason = new Error("the user pressed a key");
      const options = { signal: AbortSignal.abort(reason) };
      await expect(test.service().get(NOWHERE, options)).rejects.toBe(reason);
    });
  });

  describe("put()", () => {
    it("stores the fixtures under their known digests", async () => {
      for (const { directory, digest } of DIRECTORY_FIXTURES) {
        const stored = await test.service().put(directory);
        expect(stored.toHex()).toBe(digest);
        await expectStored(stored, directory);
      }
    });

    it("stores the same Directory again without a change", async () => {
      const directory = directoryOf({ a: FILE });
      const first = await test.service().put(directory);
      const second = await test.service().put(directoryOf({ a: FILE }));
      expect(second.equals(first)).toBe(true);
      await expectStored(first, directory);
    });

    it("stores the same Directory 20 times at once", async () => {
      const directory = largeDirectory(100);
      await test.service().put(Directory.EMPTY);
      const puts = Array.from({ length: 20 }, () => test.service().put(directory));
      const digests = new Set((await Promise.all(puts)).map(String));
      expect([...digests]).toEqual([directoryDigest(directory).toString()]);
      await expectStored(directoryDigest(directory), directory);
    });

    it("takes names of all legal bytes", async () => {
      const bytes = Array.from({ length: 256 }, (_, byte) => byte);
      const legal = bytes.filter((byte) => ![0x00, 0x2e, 0x2f].includes(byte));
      const names = [...legal.map((byte) => [byte]), legal, [0x2e, 0x2e, 0x2e], [0xff, 0xfe]];
      const directory = Directory.fromEntries(
        names.map((name) => ({ name: PathComponent.fromBytes(Uint8Array.from(name)), node: FILE })),
      );
      await expectStored(await test.service().put(directory), directory);
    });

    it("takes 100,000 entries", async () => {
      const directory = largeDirectory(100_000);
      await test.service().put(Directory.EMPTY);
      await expectStored(await test.service().put(directory), directory);
    });

    it("takes sizes up to 64 bits", async () => {
      const directory = directoryOf({ a: fileNode(EMPTY_DIGEST, 2n ** 64n - 1n, true) });
      await expectStored(await test.service().put(directory), directory);
    });

    it("stores nothing when it was aborted before it began", async () => {
      const reason = new Error("the user pressed a key");
      const directory = directoryOf({ a: FILE });
      const put = test.service().put(directory, { signal: AbortSignal.abort(reason) });
      await expect(put).rejects.toBe(reason);
      expect(await test.service().get(directoryDigest(directory))).toBeUndefined();
    });

    it("refuses a Directory whose child is not stored", async ({ skip }) => {
      if (test.options.checksChildren === false) skip("this service does not check children");
      const child = directoryFixture("WITH_KEEP").directory;
      const parent = directoryOf({ a: FILE, b: nodeOf(child), c: directoryNode(NOWHERE, 1n) });
      await test.service().put(child);
      await expect(test.service().put(parent)).rejects.toMatchObject({ code: "MISSING_REFERENCE" });
      expect(await test.service().get(directoryDigest(parent))).toBeUndefined();
    });

    it("keeps its Directories when it is opened again", async ({ skip }) => {
      const { reopen } = test.harness();
      if (reopen === undefined) skip("this service's data end with it");
      const directories = DIRECTORY_FIXTURES.map(({ directory }) => directory);
      for (const directory of directories) await test.service().put(directory);
      const service = await reopen?.call(test.harness());
      for (const directory of directories) {
        const stored = await service?.get(directoryDigest(directory));
        if (stored === undefined) expect.fail("A Directory that was stored is not there");
        expectSameBytes(encodeDirectory(stored), encodeDirectory(directory));
      }
    });
  });
}
