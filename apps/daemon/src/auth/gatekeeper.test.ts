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
    "Basic dG9rZW46eA==",
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
