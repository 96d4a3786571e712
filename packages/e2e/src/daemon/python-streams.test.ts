import { blake3 } from "@tvix/castore";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { content, PythonClient, type PythonLine, pythonMissing } from "./python-client.js";
import { type Daemon, startDaemon } from "./start-daemon.js";
import { watchProcess } from "./watch-process.js";

/** What the script uploads at the same time: so many blobs of so many bytes. */
const PARALLEL = 200;
const PARALLEL_BYTES = 400_000;

describe.skipIf(pythonMissing !== undefined)("grpcio in Python", () => {
  let daemon: Daemon;
  let lines: ReadonlyMap<string, PythonLine>;
  let files: { before: number; after: number };

  beforeAll(async () => {
    await using python = await PythonClient.create();
    daemon = await startDaemon();
    const target = `${daemon.host}:${daemon.port}`;
    // What a daemon opens for its first calls it keeps: packs, threads, connections of the database.
    await python.run("calls.py", target, "tvix");
    const watch = watchProcess(daemon.pid);
    const before = watch.openFiles();
    lines = await python.run("streams.py", target);
    files = { before, after: await watch.settledOpenFiles(before + 8) };
  });

  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]();
  });

  it("has its deadlines kept", () => {
    expect(lines.get("deadline of an upload")).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(lines.get("deadline of a download")).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(lines.get("after deadlines")).toMatchObject({ sha256: lines.get("large")?.["sha256"] });
  });

  it("can cancel in the middle of streams", () => {
    expect(lines.get("canceled downloads")).toMatchObject({ codes: ["CANCELLED"], count: 50 });
    expect(lines.get("canceled uploads")).toMatchObject({ codes: ["CANCELLED"], count: 50 });
    const sha256 = lines.get("large")?.["sha256"];
    expect(lines.get("after cancellations")).toMatchObject({ sha256 });
  });

  it("may send messages of 4 MiB and no larger ones", () => {
    const digest = blake3(content("limit", 4 * 1024 * 1024 - 5)).toHex();
    expect(lines.get("message at the limit")).toMatchObject({ bytes: 4 * 1024 * 1024, digest });
    for (const name of ["message above the limit", "message far above the limit"]) {
      expect(lines.get(name)).toMatchObject({
        code: "RESOURCE_EXHAUSTED",
        details: expect.stringMatching(/\S/),
      });
    }
  });

  it("puts and gets a directory of 65,536 entries", () => {
    expect(lines.get("many entries")).toMatchObject({ same: true });
  });

  it(`makes ${PARALLEL} uploads at the same time`, () => {
    const expected = Array.from({ length: PARALLEL }, (_, number) =>
      blake3(content(`parallel ${number}`, PARALLEL_BYTES)).toHex(),
    );
    expect(lines.get("parallel uploads")?.["digests"]).toEqual(expected);
  });

  it("reads several streams in turns", () => {
    const sha256 = lines.get("large")?.["sha256"];
    expect(lines.get("parallel downloads")).toMatchObject({ sha256: [sha256] });
  });

  it("sends and receives on one stream", () => {
    const kinds = [
      "file_descriptor_response",
      "file_descriptor_response",
      "list_services_response",
    ];
    expect(lines.get("both ways")).toMatchObject({ kinds });
  });

  it("watches the health of the daemon", () => {
    const serving = 1;
    expect(lines.get("health")).toMatchObject({ check: serving, watch: serving, end: "CANCELLED" });
  });

  it("may send metadata that means nothing to the daemon", () => {
    expect(lines.get("metadata")).toMatchObject({ code: "OK" });
  });

  it("may compress with gzip and with deflate", () => {
    const digest = blake3(Buffer.from("compressed ".repeat(50_000))).toHex();
    expect(lines.get("compression Gzip")).toMatchObject({ code: "OK", details: `'${digest}'` });
    expect(lines.get("compression Deflate")).toMatchObject({ code: "OK", details: `'${digest}'` });
  });

  it("leaves no file open behind it", () => {
    expect(files.after).toBeLessThanOrEqual(files.before + 8);
  });
});
