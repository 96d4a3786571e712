import { fromBinary } from "@bufbuild/protobuf";
import { type CallOptions, Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  CastoreError,
  encodeNode,
  MemoryBlobService,
  MemoryDirectoryService,
  type Node,
  PathComponent,
} from "@tvix/castore";
import { NodeSchema } from "@tvix/protos/castore";
import { SnixPathInfoService } from "@tvix/protos/snix";
import {
  PathInfoService as PathInfoServiceDesc,
  type PathInfo as ProtoPathInfo,
} from "@tvix/protos/store";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { GrpcNarCalculation } from "../grpc/nar-calculation.js";
import { GrpcPathInfoService } from "../grpc/path-info-service.js";
import { RenderedNarCalculation } from "../nar/rendered-nar-calculation.js";
import type { CastoreServices } from "../nar/renderer.js";
import { PathInfo } from "../path-info.js";
import { MemoryPathInfoService } from "../pathinfoservice/memory.js";
import type { PathInfoService } from "../pathinfoservice/path-info-service.js";
import { SigningKey } from "../signature/signing-key.js";
import { TrustedKeys } from "../signature/trusted-keys.js";
import { rootKeyName, verifyRoot } from "../signed-root/root-signature.js";
import { RootSigner } from "../signed-root/root-signer.js";
import { StorePath } from "../store-path/store-path.js";
import { type GrpcServer, serveGrpc } from "../testing/grpc-server.js";
import { SYMLINK_FIXTURE, SYMLINK_NODE, storeDirectory } from "../testing/nar-fixtures.js";
import { DUMMY_PATH_INFO, SYMLINK_PATH_INFO } from "../testing/path-info-fixtures.js";
import { encodePathInfo } from "../wire/path-info-codec.js";
import { pathInfoToProto } from "../wire/path-info-message.js";
import { anonymousNodeToProto } from "./anonymous-node.js";
import { type PathInfoRpcOptions, registerPathInfoService } from "./path-info-service.js";

const KNOWN = SYMLINK_PATH_INFO.storePath.digestBytes();

let server: GrpcServer;
let roots: CastoreServices;
let reported: unknown[];

async function serve(pathInfos: PathInfoService, options: PathInfoRpcOptions = {}): Promise<void> {
  await server?.close();
  server = await serveGrpc((router) => {
    registerPathInfoService(router, pathInfos, {
      onError: (error) => reported.push(error),
      ...options,
    });
  });
}

beforeEach(async () => {
  reported = [];
  roots = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
  await serve(new MemoryPathInfoService(), {
    roots,
    calculateNar: new RenderedNarCalculation(roots),
  });
});

afterEach(() => server.close());

const client = () => createClient(PathInfoServiceDesc, server.transport);

async function expectFailure(call: Promise<unknown>, code: Code, message: RegExp): Promise<void> {
  const error = await call.then(
    () => expect.fail("The call succeeded"),
    (cause: unknown) => ConnectError.from(cause),
  );
  expect(Code[error.code]).toBe(Code[code]);
  expect(error.rawMessage).toMatch(message);
}

/** A service that fails, however it is asked. */
function failing(error: unknown): PathInfoService {
  return {
    get: () => Promise.reject(error),
    put: () => Promise.reject(error),
    list: async function* () {
      yield SYMLINK_PATH_INFO;
      throw error;
    },
  };
}

async function listed(options?: CallOptions): Promise<ProtoPathInfo[]> {
  const all: ProtoPathInfo[] = [];
  for await (const message of client().list({}, options)) all.push(message);
  return all;
}

const get = (value: Uint8Array) => client().get({ byWhat: { case: "byOutputHash", value } });

const STATUS: readonly [StoreErrorCode, Code][] = [
  ["INVALID_ARGUMENT", Code.InvalidArgument],
  ["CORRUPT", Code.DataLoss],
  ["UNAVAILABLE", Code.Unavailable],
  ["STORAGE", Code.Internal],
];

describe("PathInfoService.Get", () => {
  it("does not know a request that asks for nothing", async () => {
    await expectFailure(client().get({}), Code.Unimplemented, /^by_what needs to be specified$/);
  });

  it.each([0, 19, 21, 32])("refuses an output hash of %i bytes", async (length) => {
    await expectFailure(
      get(new Uint8Array(length)),
      Code.InvalidArgument,
      /^invalid output digest length/,
    );
  });

  it("does not find what is not stored", async () => {
    await expectFailure(get(KNOWN), Code.NotFound, /^PathInfo not found$/);
  });

  it.each(STATUS)("has the status of a failure: %s", async (code, status) => {
    for (const error of [new StoreError(code, "x"), new CastoreError(code, "x")]) {
      await serve(failing(error));
      await expectFailure(get(KNOWN), status, /./);
      expect(reported.pop()).toBe(error);
    }
  });
});

describe("PathInfoService.Put", () => {
  it("stores and answers with what is stored", async () => {
    const message = pathInfoToProto(SYMLINK_PATH_INFO);
    expect(await client().put(message)).toEqual(message);
    expect(await get(KNOWN)).toEqual(message);
  });

  it.each([
    ["nothing", {}],
    ["no node", { ...pathInfoToProto(SYMLINK_PATH_INFO), node: undefined }],
    ["no narinfo", { ...pathInfoToProto(SYMLINK_PATH_INFO), narinfo: undefined }],
    [
      "a name that is no store path",
      {
        ...pathInfoToProto(SYMLINK_PATH_INFO),
        node: fromBinary(NodeSchema, encodeNode(SYMLINK_NODE, PathComponent.parse("x"))),
      },
    ],
  ])("refuses what is not valid: %s", async (_label, message) => {
    const { $typeName: _, ...fields } = { $typeName: "", ...message };
    await expectFailure(
      client().put(fields as Partial<Omit<ProtoPathInfo, "$typeName">>),
      Code.InvalidArgument,
      /^Invalid path info: /,
    );
    expect(await listed()).toEqual([]);
  });

  it("refuses a path info whose root is not stored", async () => {
    await expectFailure(
      client().put(pathInfoToProto(DUMMY_PATH_INFO)),
      Code.FailedPrecondition,
      /its root is not stored$/,
    );
    expect(await listed()).toEqual([]);
  });

  it.each(STATUS)("has the status of a failure: %s", async (code, status) => {
    await serve(failing(new StoreError(code, "x")));
    await expectFailure(client().put(pathInfoToProto(SYMLINK_PATH_INFO)), status, /./);
  });
});

describe("PathInfoService.CalculateNAR", () => {
  it("tells size and hash of a NAR", async () => {
    const answer = await client().calculateNAR(anonymousNodeToProto(SYMLINK_NODE));
    expect(answer.narSize).toBe(SYMLINK_FIXTURE.narSize);
    expect(Buffer.from(answer.narSha256).toString("hex")).toBe(SYMLINK_FIXTURE.narSha256);
  });

  it("refuses a node with a name, and none", async () => {
    const named = fromBinary(NodeSchema, encodeNode(SYMLINK_NODE, PathComponent.parse("x")));
    for (const node of [named, {}]) {
      const call = client().calculateNAR(node);
      await expectFailure(call, Code.InvalidArgument, /^invalid root node: /);
    }
  });

  it("fails for a tree that is not stored", async () => {
    const call = client().calculateNAR(anonymousNodeToProto(DUMMY_PATH_INFO.node));
    await expectFailure(call, Code.DataLoss, /./);
  });

  it("can be left out", async () => {
    await serve(new MemoryPathInfoService());
    const call = client().calculateNAR(anonymousNodeToProto(SYMLINK_NODE));
    await expectFailure(call, Code.Unimplemented, /not offered/);
  });
});

describe("PathInfoService.List", () => {
  it("tells all path infos", async () => {
    await client().put(pathInfoToProto(SYMLINK_PATH_INFO));
    expect(await listed()).toEqual([pathInfoToProto(SYMLINK_PATH_INFO)]);
  });

  it("can be switched off", async () => {
    await serve(new MemoryPathInfoService(), { list: false });
    await expectFailure(listed(), Code.PermissionDenied, /switched off/);
  });

  it.each(["CORRUPT", "MISSING_REFERENCE", "STORAGE"] as const)(
    "fails as Internal in the middle: %s",
    async (code) => {
      await serve(failing(new StoreError(code, "x")));
      await expectFailure(listed(), Code.Internal, /./);
    },
  );
});

describe("the name of snix", () => {
  it("serves the same", async () => {
    await client().put(pathInfoToProto(SYMLINK_PATH_INFO));
    const snix = createClient(SnixPathInfoService, server.transport);
    const byWhat = { case: "byOutputHash", value: KNOWN } as const;
    expect(await snix.get({ byWhat })).toEqual(pathInfoToProto(SYMLINK_PATH_INFO));
  });
});

describe("GrpcNarCalculation", () => {
  it("gives what the server computes", async () => {
    const node: Node = await storeDirectory(roots, { link: SYMLINK_NODE });
    const remote = await new GrpcNarCalculation(server.transport).calculateNar(node);
    const local = await new RenderedNarCalculation(roots).calculateNar(node);
    expect(remote).toEqual(local);
  });

  it.each([
    ["a short hash", { narSize: 1n, narSha256: new Uint8Array(31) }],
    ["a size that Nix cannot hold", { narSize: 2n ** 63n, narSha256: new Uint8Array(32) }],
  ])("refuses %s", async (_label, answer) => {
    await server.close();
    server = await serveGrpc((router) => {
      router.service(PathInfoServiceDesc, { calculateNAR: () => answer });
    });
    const call = new GrpcNarCalculation(server.transport).calculateNar(SYMLINK_NODE);
    await expect(call).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("rejects with the reason of its signal, and with the failure of the server", async () => {
    const calculation = new GrpcNarCalculation(server.transport);
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(calculation.calculateNar(SYMLINK_NODE, { signal })).rejects.toBe(reason);
    await serve(new MemoryPathInfoService());
    const without = new GrpcNarCalculation(server.transport);
    await expect(without.calculateNar(SYMLINK_NODE)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});

describe("GrpcPathInfoService with a server that lies", () => {
  const other: PathInfo = SYMLINK_PATH_INFO;
  const asked = StorePath.of(new Uint8Array(20).fill(9), "asked").digestBytes();

  async function serviceOf(answer: Partial<ProtoPathInfo>): Promise<GrpcPathInfoService> {
    await server.close();
    const message = answer as ProtoPathInfo;
    server = await serveGrpc((router) => {
      router.service(PathInfoServiceDesc, {
        get: () => message,
        put: () => message,
        list: async function* () {
          yield message;
        },
      });
    });
    return new GrpcPathInfoService(server.transport);
  }

  it("refuses the path info of another path", async () => {
    const service = await serviceOf(pathInfoToProto(other));
    await expect(service.get(asked)).rejects.toMatchObject({ name: "StoreError", code: "CORRUPT" });
    expect(encodePathInfo((await service.get(KNOWN)) ?? expect.fail())).toEqual(
      encodePathInfo(other),
    );
  });

  it("refuses what is no path info", async () => {
    const service = await serviceOf({});
    await expect(service.get(asked)).rejects.toMatchObject({ code: "CORRUPT" });
    await expect(service.put(other)).rejects.toMatchObject({ code: "CORRUPT" });
    const list = (async () => {
      for await (const _ of service.list());
    })();
    await expect(list).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("refuses an answer that is not what was put, signatures aside", async () => {
    const signed = pathInfoToProto(other);
    signed.narinfo?.signatures.push({
      $typeName: "tvix.store.v1.NARInfo.Signature",
      name: "key-1",
      data: new Uint8Array(64),
    });
    const stored = await (await serviceOf(signed)).put(other);
    expect(stored.signatures.map(({ keyName }) => keyName)).toEqual(["key-1"]);
    const changed = pathInfoToProto(other);
    if (changed.narinfo !== undefined) changed.narinfo.narSize += 1n;
    const service = await serviceOf(changed);
    await expect(service.put(other)).rejects.toMatchObject({ code: "CORRUPT" });
  });
});

describe("Get with a signer of roots", () => {
  const keys = [1, 2].map((i) => SigningKey.of(`key-${i}`, new Uint8Array(32).fill(i)));
  const [first, second] = keys as [SigningKey, SigningKey];
  const calculation = new RenderedNarCalculation({
    blobs: new MemoryBlobService(),
    directories: new MemoryDirectoryService(),
  });

  async function signers(): Promise<(string | undefined)[]> {
    const pathInfo = await new GrpcPathInfoService(server.transport).get(KNOWN);
    const trusted = TrustedKeys.of(keys.map(({ publicKey }) => publicKey));
    return pathInfo === undefined ? [] : verifyRoot(trusted, pathInfo).map(rootKeyName);
  }

  it("signs what is as it is said to be, and stores nothing of it", async () => {
    const pathInfos = new MemoryPathInfoService();
    await pathInfos.put(SYMLINK_PATH_INFO);
    const rootSigner = new RootSigner([first], calculation);
    await serve(pathInfos, { rootSigner });
    expect([await signers(), await signers()]).toEqual([["key-1"], ["key-1"]]);
    rootSigner.replaceKeys([second]);
    expect(await signers()).toEqual(["key-2"]);
    rootSigner.replaceKeys([]);
    expect(await signers()).toEqual([]);
    expect((await pathInfos.get(KNOWN))?.signatures).toEqual([]);
  });

  it.each([
    ["has another NAR", { narSize: 1n }],
    ["is damaged", { node: DUMMY_PATH_INFO.node }],
  ])("answers without signature when the root %s", async (_, changes) => {
    const { storePath, node, narSize, narSha256 } = SYMLINK_PATH_INFO;
    const pathInfos = new MemoryPathInfoService();
    await pathInfos.put(PathInfo.of({ storePath, node, narSize, narSha256, ...changes }));
    await serve(pathInfos, { rootSigner: new RootSigner([first], calculation) });
    expect(await new GrpcPathInfoService(server.transport).get(KNOWN)).toBeDefined();
    expect(await signers()).toEqual([]);
  });
});
