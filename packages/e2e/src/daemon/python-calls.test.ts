import { blake3 } from "@tvix/castore";
import { directoryFixture, EMPTY_DIGEST } from "@tvix/castore/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { content, PythonClient, type PythonLine, pythonMissing } from "./python-client.js";
import { type Daemon, startDaemon } from "./start-daemon.js";

/** Blobs that the script stores, by their lengths in bytes; the last has several chunks. */
const SIZES = [0, 1, 4096, 262_144, 3_000_000];

/** What clients take as one message when they are not told otherwise. */
const PEER_MESSAGE_BYTES = 4 * 1024 * 1024;

let daemon: Daemon;
let python: PythonClient;

beforeAll(async () => {
  if (pythonMissing !== undefined) return;
  [daemon, python] = await Promise.all([startDaemon(), PythonClient.create()]);
});

afterAll(async () => {
  await python?.[Symbol.asyncDispose]();
  await daemon?.[Symbol.asyncDispose]();
});

describe.skipIf(pythonMissing !== undefined).each([
  { owner: "tvix", way: "TCP", target: () => `${daemon.host}:${daemon.port}` },
  { owner: "snix", way: "TCP", target: () => `${daemon.host}:${daemon.port}` },
  { owner: "tvix", way: "the unix socket", target: () => `unix:${daemon.socketPath}` },
])("grpcio in Python, names of $owner, over $way", ({ owner, target }) => {
  let lines: ReadonlyMap<string, PythonLine>;

  beforeAll(async () => {
    lines = await python.run("calls.py", target(), owner);
  });

  it.each(SIZES)("puts, stats and reads a blob of %d bytes", (size) => {
    const line = lines.get(`blob ${size}`);
    const digest = blake3(content(`blob ${size}`, size)).toHex();
    expect(line).toMatchObject({ digest, bao: "", sha256: line?.["original"] });
    expect(line?.["largest"]).toBeLessThan(PEER_MESSAGE_BYTES);
    if (size === 0) expect(line?.["messages"]).toBe(0);
  });

  it("is told chunks that make up a large blob in order", () => {
    const size = SIZES.at(-1) ?? 0;
    const chunks = lines.get(`blob ${size}`)?.["chunks"] as [string, number][];
    expect(chunks.length).toBeGreaterThan(1);
    const data = content(`blob ${size}`, size);
    let offset = 0;
    for (const [digest, length] of chunks) {
      expect(blake3(data.subarray(offset, offset + length)).toHex()).toBe(digest);
      offset += length;
    }
    expect(offset).toBe(size);
  });

  it("may send no message, or messages without content", () => {
    expect(lines.get("upload without a message")).toMatchObject({ digest: EMPTY_DIGEST.toHex() });
    const digest = blake3(Buffer.from("x86_64-linux")).toHex();
    expect(lines.get("upload with empty messages")).toMatchObject({ digest });
  });

  it("puts directories and gets them alone and with what is below them", () => {
    expect(lines.get("directories")).toMatchObject({
      with_keep: directoryFixture("WITH_KEEP").digest,
      root: directoryFixture("COMPLICATED").digest,
      again: directoryFixture("COMPLICATED").digest,
      one: true,
      every: true,
      nothing: 0,
    });
  });

  it("has NARs calculated, and puts, gets and lists path infos", () => {
    // Size and hash are those of the test vectors of tvix.
    expect(lines.get("CalculateNAR")).toMatchObject({
      size: 840,
      sha256: "ebd52279a8df024c9fd5718de4103bf5e760dc7f2cf49044ee7dea87ab16911a",
    });
    expect(lines.get("path infos")).toMatchObject({ put: true, got: true, listed: true });
  });

  it("reads what it has put", () => {
    expect(lines.get("read again")).toMatchObject({ same: true });
  });
});
