import { gzipSync } from "node:zlib";
import { SeededRandom, seededBytes } from "@tvix/castore/testing";
import { StorePath } from "@tvix/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";
import { type Cut, cutUpload, http } from "./http-upload.js";
import { fileNar, sha256Base32 } from "./nar-tokens.js";

const CUTS = 200;
const KINDS: readonly Cut[] = ["reset", "end", "chunked"];

/** A path to upload, and where the upload is cut: in the NAR, or in the narinfo that follows it. */
interface Upload {
  readonly storePath: StorePath;
  readonly narUrl: string;
  readonly file: Uint8Array;
  readonly narinfoUrl: string;
  readonly narinfo: Uint8Array;
  readonly offset: number;
  readonly cut: Cut;
}

function makeUpload(index: number, random: SeededRandom): Upload {
  const nar = fileNar(seededBytes(index, 1000 + random.below(200_000)));
  const isCompressed = index % 4 === 3;
  const file = isCompressed ? gzipSync(nar, { level: 1 }) : nar;
  const storePath = StorePath.of(seededBytes(1000 + index, 20), `cut-${index}`);
  const narUrl = `nar/${sha256Base32(file)}.nar`;
  const narinfo = Buffer.from(
    [
      `StorePath: ${storePath}`,
      `URL: ${narUrl}`,
      `Compression: ${isCompressed ? "gzip" : "none"}`,
      `NarHash: sha256:${sha256Base32(nar)}`,
      `NarSize: ${nar.byteLength}`,
      "References: ",
      "",
    ].join("\n"),
  );
  // One in eight is cut within the narinfo.
  const [start, length] =
    index % 8 === 0 ? [file.byteLength, narinfo.byteLength] : [0, file.byteLength];
  return {
    storePath,
    narUrl: `/${narUrl}`,
    file,
    narinfoUrl: `/${storePath.baseName.slice(0, 32)}.narinfo`,
    narinfo,
    offset: start + random.below(length),
    cut: KINDS[index % KINDS.length] ?? "reset",
  };
}

describe("an upload that is cut off", () => {
  let daemon: Daemon;
  const random = new SeededRandom(42);
  const uploads = Array.from({ length: CUTS }, (_, i) => makeUpload(i, random));

  beforeAll(async () => {
    daemon = await startDaemon();
    for (const upload of uploads) await cutOff(upload);
  });

  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]();
  });

  async function cutOff(upload: Upload): Promise<void> {
    const { narUrl, file, narinfoUrl, narinfo, offset, cut } = upload;
    if (offset < file.byteLength) {
      await cutUpload(daemon.url, narUrl, { body: file, length: offset, cut });
      return;
    }
    expect(await http(daemon.url, narUrl, { method: "PUT", body: file })).toMatchObject({
      status: 200,
    });
    const length = offset - file.byteLength;
    await cutUpload(daemon.url, narinfoUrl, { body: narinfo, length, cut });
  }

  it("publishes nothing, wherever that is", async () => {
    for (const { narinfoUrl, narUrl, offset, file } of uploads) {
      expect(await http(daemon.url, narinfoUrl)).toMatchObject({ status: 404 });
      const head = await http(daemon.url, narUrl, { method: "HEAD" });
      expect(head.status).toBe(offset < file.byteLength ? 404 : 200);
    }
  });

  it("leaves a NAR that is not there, as its narinfo is told", async () => {
    for (const { narinfoUrl, narinfo, offset, file } of uploads.slice(0, 40)) {
      if (offset >= file.byteLength) continue;
      const answer = await http(daemon.url, narinfoUrl, { method: "PUT", body: narinfo });
      expect(answer.status).toBe(400);
      expect(answer.text).toMatch(/^the NAR of \S+ is not here: upload it first\n$/);
    }
  });

  it("succeeds when it is tried again", async () => {
    for (const { narinfoUrl, narinfo, narUrl, file, storePath } of uploads) {
      for (const [url, body] of [
        [narUrl, file],
        [narinfoUrl, narinfo],
      ] as const) {
        expect(await http(daemon.url, url, { method: "PUT", body })).toMatchObject({ status: 200 });
      }
      const { status, text } = await http(daemon.url, narinfoUrl);
      expect([status, text.split("\n")[0]]).toEqual([200, `StorePath: ${storePath}`]);
    }
  });

  it("is no failure of the daemon", () => {
    expect(daemon.log()).not.toMatch(/"level":"error"/);
  });
});
