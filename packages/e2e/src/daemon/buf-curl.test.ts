import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runProgram } from "./run.js";
import { type Daemon, startDaemon } from "./start-daemon.js";

const BUF = join(
  dirname(createRequire(import.meta.url).resolve("@bufbuild/buf/package.json")),
  "bin/buf",
);

const PROTOS = fileURLToPath(new URL("../../../../protos", import.meta.url));

/** What the README of tvix puts, and what it is called then. */
const CONTENT = Buffer.from("x86_64-linux").toString("base64");
const DIGEST = "KOM3/IHEx7YfInAnlJpAElYezq0Sxn9fRz7xuClwNfA=";

const SERVICES = [
  "castore.v1.BlobService",
  "castore.v1.DirectoryService",
  "store.v1.PathInfoService",
];
const EXPECTED_SERVICES = [
  ...SERVICES.map((name) => `tvix.${name}`),
  ...SERVICES.map((name) => `snix.${name}`),
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

const GRPC = ["--protocol", "grpc", "--http2-prior-knowledge"];

let daemon: Daemon;

beforeAll(async () => {
  daemon = await startDaemon();
});

afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
});

interface BufOutcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function bufCurl(
  path: string,
  args: readonly string[],
  ...data: object[]
): Promise<BufOutcome> {
  const url = `${daemon.url}${path}`;
  const messages = data.map((message) => JSON.stringify(message)).join("\n");
  const input = data.length === 0 ? [] : ["--data", "@-"];
  const outcome = await runProgram(process.execPath, [BUF, "curl", ...args, ...input, url], {
    input: messages,
  });
  return { ...outcome, stdout: outcome.stdout.toString("utf8") };
}

/** The messages of a call that must succeed. */
async function call(path: string, args: readonly string[], ...data: object[]): Promise<unknown[]> {
  const { status, stdout, stderr } = await bufCurl(path, args, ...data);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  // Messages follow one another without a comma between them.
  return JSON.parse(`[${stdout.trim().replaceAll("}\n{", "},{")}]`);
}

describe.each(["grpc-v1", "grpc-v1alpha"])("buf curl through reflection %s", (version) => {
  const reflected = [...GRPC, "--reflect-protocol", version];

  it("lists the services", async () => {
    const { stdout, stderr } = await bufCurl("", [...reflected, "--list-services"]);
    expect(stderr).toBe("");
    expect(stdout.trim().split("\n")).toEqual(expect.arrayContaining(EXPECTED_SERVICES));
  });

  it("lists the methods", async () => {
    const { stdout, stderr } = await bufCurl("", [...reflected, "--list-methods"]);
    expect(stderr).toBe("");
    const methods = stdout.trim().split("\n");
    for (const owner of ["tvix", "snix"]) {
      for (const method of ["Stat", "Read", "Put"]) {
        expect(methods).toContain(`${owner}.castore.v1.BlobService/${method}`);
      }
      for (const method of ["Get", "Put"]) {
        expect(methods).toContain(`${owner}.castore.v1.DirectoryService/${method}`);
      }
      for (const method of ["Get", "Put", "CalculateNAR", "List"]) {
        expect(methods).toContain(`${owner}.store.v1.PathInfoService/${method}`);
      }
    }
  });

  it.each(["tvix", "snix"])("puts and reads the blob of the README under %s.*", async (owner) => {
    const service = `/${owner}.castore.v1.BlobService`;
    const put = await call(`${service}/Put`, reflected, { data: CONTENT });
    expect(put).toEqual([{ digest: DIGEST }]);
    expect(await call(`${service}/Read`, reflected, { digest: DIGEST })).toEqual([
      { data: CONTENT },
    ]);
    expect(await call(`${service}/Stat`, reflected, { digest: DIGEST })).toEqual([{}]);
  });
});

describe("buf curl", () => {
  it("does the same over the unix socket", async () => {
    const socket = [...GRPC, "--unix-socket", daemon.socketPath];
    const put = await call("/tvix.castore.v1.BlobService/Put", socket, { data: CONTENT });
    expect(put).toEqual([{ digest: DIGEST }]);
    const read = await call("/tvix.castore.v1.BlobService/Read", socket, { digest: DIGEST });
    expect(read).toEqual([{ data: CONTENT }]);
  });

  it.each([
    ["Connect over HTTP/1.1", ["--protocol", "connect", "--schema", PROTOS]],
    ["Connect over HTTP/2", ["--protocol", "connect", "--http2-prior-knowledge"]],
    ["gRPC-Web over HTTP/1.1", ["--protocol", "grpcweb", "--schema", PROTOS]],
    ["gRPC-Web over HTTP/2", ["--protocol", "grpcweb", "--http2-prior-knowledge"]],
  ])("does the same in %s", async (_, protocol) => {
    const service = "/tvix.castore.v1.BlobService";
    const halves = ["x86_64", "-linux"].map((half) => ({
      data: Buffer.from(half).toString("base64"),
    }));
    expect(await call(`${service}/Put`, protocol, ...halves)).toEqual([{ digest: DIGEST }]);
    expect(await call(`${service}/Read`, protocol, { digest: DIGEST })).toEqual([
      { data: CONTENT },
    ]);
    const absent = { digest: Buffer.alloc(32, 7).toString("base64") };
    const { status, stderr } = await bufCurl(`${service}/Stat`, protocol, absent);
    expect(status).not.toBe(0);
    expect(JSON.parse(stderr)).toMatchObject({ code: "not_found" });
  });

  it("sends an upload of several messages as one stream", async () => {
    const messages = ["x", "86_", "", "64-linux"].map((part) => ({
      data: Buffer.from(part).toString("base64"),
    }));
    const put = await call("/tvix.castore.v1.BlobService/Put", GRPC, ...messages);
    expect(put).toEqual([{ digest: DIGEST }]);
  });

  it.each([
    ["a digest of another length", "Stat", { digest: "AAAA" }, "invalid_argument"],
    [
      "a blob that is not there",
      "Stat",
      { digest: Buffer.alloc(32).toString("base64") },
      "not_found",
    ],
    [
      "a blob to read that is not there",
      "Read",
      { digest: Buffer.alloc(32).toString("base64") },
      "not_found",
    ],
  ])("is told about %s", async (_, method, request, code) => {
    const path = `/tvix.castore.v1.BlobService/${method}`;
    const { status, stdout, stderr } = await bufCurl(path, GRPC, request);
    expect(status).not.toBe(0);
    expect(stdout).toBe("");
    expect(JSON.parse(stderr)).toMatchObject({ code, message: expect.stringMatching(/\S/) });
  });

  it.each(["", "tvix.castore.v1.BlobService", "snix.store.v1.PathInfoService"])(
    "finds the service %j in good health",
    async (service) => {
      const answer = await call("/grpc.health.v1.Health/Check", GRPC, { service });
      expect(answer).toEqual([{ status: "SERVING" }]);
    },
  );

  it("is told that the health of an unknown service is not known", async () => {
    const { stderr } = await bufCurl("/grpc.health.v1.Health/Check", GRPC, { service: "other.v1" });
    expect(JSON.parse(stderr)).toMatchObject({ code: "not_found" });
  });
});
