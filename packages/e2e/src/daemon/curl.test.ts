import { spawnSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import { blake3, concatBytes } from "@tvix/castore";
import { NOWHERE, seededBytes } from "@tvix/castore/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { skipReason } from "./requirement.js";
import { runProgram } from "./run.js";
import { type Daemon, startDaemon } from "./start-daemon.js";

const curlMissing = skipReason(spawnSync("curl", ["--version"]).status === 0, "curl");

const BLOBS = "/tvix.castore.v1.BlobService";
const CONTENT = Buffer.from("x86_64-linux");
const DIGEST = "KOM3/IHEx7YfInAnlJpAElYezq0Sxn9fRz7xuClwNfA=";

/** Flag of the envelope that ends a stream of the Connect protocol. */
const END_OF_STREAM = 2;

let daemon: Daemon;

beforeAll(async () => {
  daemon = await startDaemon();
});

afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly version: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

async function curl(path: string, args: readonly string[], input?: Uint8Array): Promise<Answer> {
  const data = input === undefined ? [] : ["--data-binary", "@-"];
  // Headers come first, the last ones after those of a "100 Continue".
  const all = ["--silent", "--show-error", "--max-time", "60", "--include", ...args, ...data];
  const outcome = await runProgram("curl", [...all, `${daemon.url}${path}`], {
    ...(input === undefined ? {} : { input }),
  });
  expect({ status: outcome.status, stderr: outcome.stderr }).toEqual({ status: 0, stderr: "" });
  return parseAnswer(outcome.stdout);
}

function parseAnswer(output: Buffer): Answer {
  const end = output.indexOf("\r\n\r\n");
  const [first = "", ...lines] = output.subarray(0, end).toString("latin1").split("\r\n");
  const [, version = "", status = ""] = /^HTTP\/(\S+) (\d+)/.exec(first) ?? [];
  const body = output.subarray(end + 4);
  if (status === "100") return parseAnswer(body);
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  return { status: Number(status), version, headers: new Map(headers), body };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function envelope(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}

function envelopes(body: Buffer): { flags: number; message: unknown }[] {
  const found = [];
  for (let offset = 0; offset < body.length; ) {
    const end = offset + 5 + body.readUInt32BE(offset + 1);
    const message: unknown = JSON.parse(body.subarray(offset + 5, end).toString("utf8"));
    found.push({ flags: body[offset] ?? 0, message });
    offset = end;
  }
  return found;
}

const JSON_TYPE = ["--header", "content-type: application/json"];
const STREAM_TYPE = ["--header", "content-type: application/connect+json"];

describe.skipIf(curlMissing !== undefined).each([
  { way: "HTTP/1.1", version: "1.1", flags: () => [] },
  { way: "HTTP/2", version: "2", flags: () => ["--http2-prior-knowledge"] },
  {
    way: "HTTP/1.1 over the unix socket",
    version: "1.1",
    flags: () => ["--unix-socket", daemon.socketPath],
  },
])("curl speaking Connect in JSON, $way", ({ version, flags }) => {
  it("puts and reads a blob with streams", async () => {
    const request = Buffer.concat(
      [CONTENT.subarray(0, 5), CONTENT.subarray(5)].map((data) =>
        envelope(json({ data: data.toString("base64") })),
      ),
    );
    const put = await curl(`${BLOBS}/Put`, [...flags(), ...STREAM_TYPE], request);
    expect(put).toMatchObject({ status: 200, version });
    expect(envelopes(put.body)).toEqual([
      { flags: 0, message: { digest: DIGEST } },
      { flags: END_OF_STREAM, message: {} },
    ]);
    const question = envelope(json({ digest: DIGEST }));
    const read = await curl(`${BLOBS}/Read`, [...flags(), ...STREAM_TYPE], question);
    expect(envelopes(read.body)).toEqual([
      { flags: 0, message: { data: CONTENT.toString("base64") } },
      { flags: END_OF_STREAM, message: {} },
    ]);
  });

  it("asks with unary calls", async () => {
    const small = [CONTENT, Buffer.from("other")].map((data) => data.toString("base64"));
    const args = [...flags(), ...JSON_TYPE];
    const put = await curl(
      "/tvix.castore.batch.v1.BatchService/PutBlobs",
      args,
      json({ contents: small }),
    );
    expect(put).toMatchObject({ status: 200, version });
    expect(JSON.parse(put.body.toString())).toEqual({ digests: [DIGEST, expect.any(String)] });
    const stat = await curl(`${BLOBS}/Stat`, args, json({ digest: DIGEST }));
    expect(stat).toMatchObject({ status: 200, version });
    expect(stat.headers.get("content-type")).toBe("application/json");
    expect(JSON.parse(stat.body.toString())).toEqual({});
  });

  it.each([
    [
      "an absent blob",
      404,
      "not_found",
      json({ digest: Buffer.from(NOWHERE.toBytes()).toString("base64") }),
    ],
    ["a digest of another length", 400, "invalid_argument", json({ digest: "AAAA" })],
    ["what is no JSON", 400, "invalid_argument", Buffer.from("{")],
    ["fields that do not exist", 400, "invalid_argument", json({ digset: DIGEST })],
  ])("is told about %s", async (_, httpStatus, code, request) => {
    const answer = await curl(`${BLOBS}/Stat`, [...flags(), ...JSON_TYPE], request);
    expect(answer).toMatchObject({ status: httpStatus, version });
    expect(JSON.parse(answer.body.toString())).toEqual({
      code,
      message: expect.stringMatching(/\S/),
    });
  });

  it.each([
    [
      "a method that does not exist",
      404,
      "/tvix.castore.v1.BlobService/Remove",
      JSON_TYPE,
      json({}),
    ],
    ["a path that does not exist", 404, "/other", JSON_TYPE, json({})],
    [
      "a type of content that is none of ours",
      415,
      `${BLOBS}/Stat`,
      ["--header", "content-type: text/plain"],
      json({}),
    ],
  ])("is told about %s", async (_, httpStatus, path, args, request) => {
    expect(await curl(path, [...flags(), ...args], request)).toMatchObject({
      status: httpStatus,
      version,
    });
  });

  it("is told that methods are called with POST", async () => {
    const query = `?connect=v1&encoding=json&message=${encodeURIComponent(JSON.stringify({ digest: DIGEST }))}`;
    const answer = await curl(`${BLOBS}/Stat${query}`, flags());
    expect(answer).toMatchObject({ status: 405, version });
  });

  it.each([
    ["/healthz", /ok/i],
    ["/readyz", /ok|ready/i],
    ["/metrics", /^# HELP \w+/m],
  ])("reads %s", async (path, expected) => {
    const answer = await curl(path, flags());
    expect(answer).toMatchObject({ status: 200, version });
    expect(answer.body.toString()).toMatch(expected);
  });
});

describe.skipIf(curlMissing !== undefined)("curl", () => {
  it.each([
    ["HTTP/1.1", []],
    ["HTTP/2", ["--http2-prior-knowledge"]],
  ])("uploads 3 MB in one message over %s, having asked whether it may", async (_, flags) => {
    const data = seededBytes(1, 3_000_000);
    const head = Buffer.of(0x0a, 0xc0, 0x8d, 0xb7, 0x01);
    const message = envelope(concatBytes([head, data]));
    const type = ["--header", "content-type: application/connect+proto"];
    const answer = await curl(`${BLOBS}/Put`, [...flags, ...type], message);
    expect(answer.status).toBe(200);
    const digest = answer.body.subarray(5 + 2, 5 + 2 + 32);
    expect(digest.equals(blake3(data).toBytes())).toBe(true);
  });

  it("may compress what it sends", async () => {
    const request = gzipSync(json({ digest: Buffer.from(NOWHERE.toBytes()).toString("base64") }));
    const args = [...JSON_TYPE, "--header", "content-encoding: gzip", "--compressed"];
    const answer = await curl(`${BLOBS}/Stat`, args, request);
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ code: "not_found" });
  });

  it("sees no permission for pages of other origins", async () => {
    const preflight = await curl(`${BLOBS}/Stat`, [
      ...["--request", "OPTIONS", "--header", "origin: https://example.org"],
      ...["--header", "access-control-request-method: POST"],
      ...["--header", "access-control-request-headers: content-type"],
    ]);
    expect(preflight.headers.has("access-control-allow-origin")).toBe(false);
    expect(preflight.status).toBeGreaterThanOrEqual(400);
  });
});
