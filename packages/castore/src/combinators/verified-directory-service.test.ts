import { describe, expect, it } from "vitest";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import type { Directory } from "../nodes/directory.js";
import { directoryOf, NOWHERE, nodeOf } from "../testing/directory-builders.js";
import { directoryServiceSuite } from "../testing/directory-service-suite.js";
import { directoryFixture } from "../testing/fixtures.js";
import { collect, WatchedSource } from "../testing/sources.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { VerifiedDirectoryService } from "./verified-directory-service.js";

directoryServiceSuite("verified(memory)", async () => ({
  service: new VerifiedDirectoryService(new MemoryDirectoryService()),
}));

/** Says what it is told to say. */
class Liar implements DirectoryService {
  directory: Directory | undefined;
  closure: Iterable<Directory> | AsyncIterable<Directory> = [];
  digest: B3Digest = NOWHERE;

  async get(): Promise<Directory | undefined> {
    return this.directory;
  }

  async *getRecursive(): AsyncGenerator<Directory, void, undefined> {
    yield* this.closure;
  }

  async put(): Promise<B3Digest> {
    return this.digest;
  }

  async putMultiple(): Promise<B3Digest> {
    return this.digest;
  }
}

const [A, B, D] = ["A", "B", "D"].map((name) => directoryFixture(name).directory) as [
  Directory,
  Directory,
  Directory,
];
const ROOT = directoryDigest(D);

describe("VerifiedDirectoryService", () => {
  it("refuses another Directory than the one asked for", async () => {
    const liar = new Liar();
    liar.directory = A;
    await expect(new VerifiedDirectoryService(liar).get(ROOT)).rejects.toMatchObject({
      code: "CORRUPT",
    });
  });

  it.each<[string, string, Directory[]]>([
    ["another root", "unexpected-directory", [A]],
    ["one that nobody refers to", "unexpected-directory", [D, directoryOf({ d: nodeOf(D) })]],
    ["leaves first", "unexpected-directory", [A, B, D]],
    ["a truncated listing", "incomplete", [D, B]],
  ])("refuses %s", async (_label, reason, closure) => {
    const liar = new Liar();
    liar.closure = closure;
    const read = collect(new VerifiedDirectoryService(liar).getRecursive(ROOT));
    await expect(read).rejects.toMatchObject({ code: "CORRUPT", reason });
  });

  it("gives a Directory that comes twice once", async () => {
    const liar = new Liar();
    liar.closure = [D, D, B, D, A, A];
    expect(await collect(new VerifiedDirectoryService(liar).getRecursive(ROOT))).toEqual([D, B, A]);
  });

  it("does not read for ever from a store that repeats itself", async () => {
    const liar = new Liar();
    liar.closure = (function* () {
      for (;;) yield D;
    })();
    const read = collect(new VerifiedDirectoryService(liar).getRecursive(ROOT));
    await expect(read).rejects.toThrow(/repeats itself/);
  });

  it("ends when it is aborted, whether or not the store listens", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    const { signal } = controller;
    const liar = new Liar();
    const hangs = new WatchedSource([D], "hang");
    hangs.onHang = () => controller.abort(reason);
    liar.closure = hangs;
    const service = new VerifiedDirectoryService(liar);
    await expect(collect(service.getRecursive(ROOT, { signal }))).rejects.toBe(reason);
    liar.get = () => new Promise(() => {});
    const late = new AbortController();
    const get = service.get(ROOT, { signal: late.signal });
    late.abort(reason);
    await expect(get).rejects.toBe(reason);
  });

  it("refuses a store that says to have stored something else", async () => {
    const service = new VerifiedDirectoryService(new Liar());
    await expect(service.put(A)).rejects.toMatchObject({ code: "CORRUPT" });
    await expect(service.putMultiple([A])).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("lets nothing through that is not a closure", async () => {
    const inner = new Liar();
    const taken: Directory[] = [];
    inner.putMultiple = async (directories?: AsyncIterable<Directory> | Iterable<Directory>) => {
      for await (const directory of directories ?? []) taken.push(directory);
      return ROOT;
    };
    const service = new VerifiedDirectoryService(inner);
    await expect(service.putMultiple([A, D])).rejects.toMatchObject({ reason: "unknown-child" });
    expect(taken).toEqual([A]);
    expect((await service.putMultiple([A, B, D])).equals(ROOT)).toBe(true);
  });

  it("says what the source failed with, whatever the store makes of it", async () => {
    const failure = new Error("the source failed");
    const inner = new Liar();
    inner.putMultiple = async (directories?: AsyncIterable<Directory> | Iterable<Directory>) => {
      try {
        for await (const _ of directories ?? []);
      } catch {
        throw new Error("in other words");
      }
      return ROOT;
    };
    const service = new VerifiedDirectoryService(inner);
    const put = service.putMultiple(new WatchedSource([A], failure));
    await expect(put).rejects.toBe(failure);
  });
});
