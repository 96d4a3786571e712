import { StorePath } from "@tvix/store";
import { describe, expect, it } from "vitest";
import { copyClosure } from "./copy-closure.js";
import { planClosure } from "./plan.js";
import type { PathFacts, Transfer } from "./transfer.js";

const HASHES = "0123456789abcdfghijklmnpqrsvwxyz";

/** A path of which only the name matters. */
function path(name: string): StorePath {
  const digit = HASHES[name.charCodeAt(0) % 32] ?? "0";
  return StorePath.parse(`${digit.repeat(31)}0-${name}`);
}

/** Copies between places that exist in name only. */
class FakeTransfer implements Transfer {
  readonly source = "here";
  readonly target = "there";
  readonly log: string[] = [];
  readonly #graph: Readonly<Record<string, readonly string[]>>;
  readonly #present: ReadonlySet<string>;
  /** Fails when it is asked to move that path. */
  broken: string | undefined;

  constructor(graph: Readonly<Record<string, readonly string[]>>, present: readonly string[] = []) {
    this.#graph = graph;
    this.#present = new Set(present);
  }

  async lookUp(outputHash: Uint8Array): Promise<PathFacts | undefined> {
    const name = Object.keys(this.#graph).find((key) =>
      Buffer.from(path(key).digestBytes()).equals(outputHash),
    );
    if (name === undefined) return undefined;
    const references = (this.#graph[name] ?? []).map(path);
    return { storePath: path(name), references, narSize: 1n, isPresent: this.#present.has(name) };
  }

  async move({ storePath }: PathFacts) {
    const { name } = storePath;
    this.log.push(`move ${name}`);
    if (name === this.broken) throw new Error(`no ${name}`);
    return {
      bytesMoved: 1,
      publish: async () => {
        this.log.push(`publish ${name}`);
      },
    };
  }
}

const signal = new AbortController().signal;

async function copy(transfer: FakeTransfer, root: string): Promise<readonly string[]> {
  const wanted = { outputHash: path(root).digestBytes(), name: root, text: root };
  const paths = await planClosure([wanted], transfer, { signal });
  const told: string[] = [];
  await copyClosure(paths, transfer, {
    jobs: 2,
    signal,
    onPath: async ({ facts, bytesMoved }) => {
      told.push(`${facts.storePath.name} ${bytesMoved}`);
    },
  });
  return told;
}

describe("planClosure() and copyClosure()", () => {
  it("publish each path after all that it refers to", async () => {
    const transfer = new FakeTransfer({ a: ["a", "b", "c"], b: ["d"], c: ["d", "b"], d: [] });
    expect(await copy(transfer, "a")).toEqual(["d 1", "b 1", "c 1", "a 1"]);
    const published = transfer.log.filter((line) => line.startsWith("publish"));
    expect(published).toEqual(["publish d", "publish b", "publish c", "publish a"]);
  });

  it("skip what is there, but not what it lacks", async () => {
    const transfer = new FakeTransfer({ a: ["b"], b: ["c"], c: [] }, ["a", "b"]);
    expect([...(await copy(transfer, "a"))].sort()).toEqual(["a 0", "b 0", "c 1"]);
    expect(transfer.log).toEqual(["move c", "publish c"]);
  });

  it("publish nothing that refers to what failed", async () => {
    const transfer = new FakeTransfer({ a: ["b", "c"], b: [], c: [] });
    transfer.broken = "c";
    await expect(copy(transfer, "a")).rejects.toThrow("no c");
    expect(transfer.log).not.toContain("publish a");
  });

  it("refuse what refers to each other, and what is nowhere", async () => {
    await expect(copy(new FakeTransfer({ a: ["b"], b: ["a"] }), "a")).rejects.toThrow(
      /refer to each other/,
    );
    await expect(copy(new FakeTransfer({ a: ["b"] }), "a")).rejects.toThrow(/is not in here/);
    await expect(copy(new FakeTransfer({}), "a")).rejects.toMatchObject({ exitCode: 3 });
  });
});
