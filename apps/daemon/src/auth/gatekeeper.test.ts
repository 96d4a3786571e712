import { describe, expect, it } from "vitest";
import { Gatekeeper } from "./gatekeeper.js";
import { hashToken, TokenSet } from "./token-set.js";

const TOKENS = new TokenSet([
  { name: "reader", scope: "read", sha256: hashToken("token-that-reads") },
  { name: "writer", scope: "write", sha256: hashToken("token-that-writes") },
]);

const READS = [
  "/tvix.castore.v1.BlobService/Stat",
  "/tvix.castore.v1.BlobService/Read",
  "/snix.castore.v1.DirectoryService/Get",
  "/tvix.castore.batch.v1.BatchService/FindMissingBlobs",
  "/tvix.castore.batch.v1.BatchService/FindMissingDirectories",
  "/tvix.castore.batch.v1.BatchService/ReadBlobs",
  "/tvix.castore.range.v1.RangeService/ReadSlice",
  "/tvix.store.v1.PathInfoService/Get",
  "/tvix.store.v1.PathInfoService/List",
  "/snix.store.v1.PathInfoService/CalculateNAR",
  "/tvix.store.maintenance.v1.MaintenanceService/Describe",
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
  "/metrics",
];

const WRITES = [
  "/tvix.castore.v1.BlobService/Put",
  "/snix.castore.v1.BlobService/Put",
  "/tvix.castore.v1.DirectoryService/Put",
  "/tvix.castore.batch.v1.BatchService/PutBlobs",
  "/tvix.castore.batch.v1.BatchService/PutChunkedBlob",
  "/tvix.castore.batch.v1.BatchService/PutDirectories",
  "/snix.store.v1.PathInfoService/Put",
  "/tvix.store.maintenance.v1.MaintenanceService/Check",
];

const FREE = [
  "/healthz",
  "/readyz",
  "/grpc.health.v1.Health/Check",
  "/grpc.health.v1.Health/Watch",
];

const UNKNOWN = [
  "/",
  "/nar/x",
  "//metrics",
  "/metrics/",
  "/healthz/x",
  "/tvix.castore.v1.BlobService/stat",
  "/tvix.castore.v1.BlobService/Delete",
  "/tvix.castore.v1.BlobService/toString",
  "/constructor/name",
  "/__proto__/Stat",
];

/** What happens with no token, with a wrong one, with that of the reader, with that of the writer. */
function decisions(path: string): string[] {
  const gatekeeper = new Gatekeeper(TOKENS);
  const headers = [
    undefined,
    "Bearer token-of-nobody",
    "Bearer token-that-reads",
    "bearer  token-that-writes",
  ];
  return headers.map((authorization) => {
    const decision = gatekeeper.decide({ path, authorization, isLocalSocket: false });
    return decision.allowed ? "allowed" : decision.reason;
  });
}

describe("Gatekeeper.decide()", () => {
  it.each(READS)("asks for a token for %s", (path) => {
    expect(decisions(path)).toEqual(["unauthenticated", "unauthenticated", "allowed", "allowed"]);
  });

  it.each([...WRITES, ...UNKNOWN])("asks for a token that may write for %s", (path) => {
    expect(decisions(path)).toEqual(["unauthenticated", "unauthenticated", "forbidden", "allowed"]);
  });

  it.each(FREE)("lets everyone ask %s", (path) => {
    expect(decisions(path)).toEqual(["allowed", "allowed", "allowed", "allowed"]);
  });

  it.each([
    "",
    "Basic ",
    // "token-that-writes" without a user, and "nix:" without a password.
    "Basic dG9rZW4tdGhhdC13cml0ZXM=",
    "Basic bml4Og==",
    "Basic *",
    "Bearer",
    "Bearer ",
    "token-that-writes",
    "Bearer token-that-writes x",
    "Bearer token-that-writes, Bearer token-that-writes",
    "BearerX token-that-writes",
  ])("refuses the header %j", (authorization) => {
    const gatekeeper = new Gatekeeper(TOKENS);
    expect(gatekeeper.decide({ path: "/metrics", authorization, isLocalSocket: false })).toEqual({
      allowed: false,
      reason: "unauthenticated",
      message: 'A token is needed: send the header "authorization: Bearer TOKEN"',
    });
  });

  const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;

  it("takes the token as the password of any user, as Nix sends it", () => {
    const gatekeeper = new Gatekeeper(TOKENS);
    const decide = (authorization: string) => {
      const path = "/nix-cache-info";
      const decision = gatekeeper.decide({
        method: "GET",
        path,
        authorization,
        isLocalSocket: false,
      });
      return decision.allowed ? decision.name : decision.reason;
    };
    expect(decide(basic("nix:token-that-reads"))).toBe("reader");
    expect(decide(basic(":token-that-writes"))).toBe("writer");
    expect(decide(basic("token-that-reads:x"))).toBe("unauthenticated");
    expect(decide(basic("nix:token-that-reads:token-that-reads"))).toBe("unauthenticated");
  });

  it.each([
    ["GET", "/nix-cache-info", true],
    ["HEAD", `/${"0".repeat(32)}.narinfo`, true],
    ["GET", `/nar/${"0".repeat(52)}.nar.xz`, true],
    ["GET", "/nar/tvix-castore/CgA", true],
    ["PUT", "/nix-cache-info", false],
    ["PUT", `/${"0".repeat(32)}.narinfo`, false],
    ["PUT", `/nar/${"0".repeat(52)}.nar`, false],
    ["POST", "/nix-cache-info", false],
    ["GET", `/${"0".repeat(33)}.narinfo`, false],
  ])("lets who may read do %s %s: %s", (method, path, expected) => {
    const gatekeeper = new Gatekeeper(TOKENS);
    const authorization = "Bearer token-that-reads";
    const decision = gatekeeper.decide({ method, path, authorization, isLocalSocket: false });
    expect(decision.allowed).toBe(expected);
  });

  it("names the token, never shows it", () => {
    const gatekeeper = new Gatekeeper(TOKENS);
    const authorization = "Bearer token-that-reads";
    const path = "/tvix.castore.v1.BlobService/Put";
    const refused = gatekeeper.decide({ path, authorization, isLocalSocket: false });
    expect(refused).toMatchObject({ message: "The token of reader may only read" });
    const allowed = gatekeeper.decide({ path: "/metrics", authorization, isLocalSocket: false });
    expect(allowed).toEqual({ allowed: true, name: "reader" });
  });

  it("asks for nothing on a local socket, or without tokens", () => {
    const request = { path: "/tvix.castore.v1.BlobService/Put", authorization: undefined };
    expect(new Gatekeeper(TOKENS).decide({ ...request, isLocalSocket: true }).allowed).toBe(true);
    expect(new Gatekeeper(undefined).decide({ ...request, isLocalSocket: false }).allowed).toBe(
      true,
    );
  });

  it("forgets tokens that were replaced", () => {
    const gatekeeper = new Gatekeeper(TOKENS);
    const sha256 = hashToken("token-of-tomorrow");
    gatekeeper.replaceTokens(new TokenSet([{ name: "new", scope: "read", sha256 }]));
    const decide = (authorization: string) =>
      gatekeeper.decide({ path: "/metrics", authorization, isLocalSocket: false }).allowed;
    expect(decide("Bearer token-that-reads")).toBe(false);
    expect(decide("Bearer token-of-tomorrow")).toBe(true);
  });
});
