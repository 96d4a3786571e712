import { type DescFile, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import {
  BlobService,
  DirectoryService,
  file_tvix_castore_protos_castore,
} from "@tvix/protos/castore";
import {
  Health,
  ServerReflection,
  ServerReflectionAlpha,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "@tvix/protos/grpc";
import { PathInfoService } from "@tvix/protos/store";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { failure, Harness } from "../../test/harness.js";
import { DescriptorIndex } from "./descriptor-index.js";
import { HealthService } from "./health.js";
import { registerReflection } from "./reflection.js";

let harness: Harness;
const health = new HealthService();

beforeEach(async () => {
  health.set("", true);
  health.set(BlobService.typeName, true);
  harness = await Harness.open({
    routes: (router) => {
      registerReflection(router, [BlobService, DirectoryService, PathInfoService]);
      health.register(router);
    },
  });
});
afterEach(() => harness.close());

type Question =
  Parameters<
    ReturnType<typeof createClient<typeof ServerReflection>>["serverReflectionInfo"]
  >[0] extends AsyncIterable<infer Q>
    ? Q
    : never;

/** Asks both versions, in one stream each, and expects the same answers. */
async function ask(...questions: NonNullable<Question["messageRequest"]>[]) {
  const { transport } = harness.channel();
  const requests = questions.map((messageRequest) => ({ host: "h", messageRequest }));
  const answers: unknown[][] = [];
  for (const service of [ServerReflection, ServerReflectionAlpha]) {
    const client = createClient(service as typeof ServerReflection, transport);
    const got: unknown[] = [];
    for await (const answer of client.serverReflectionInfo(toAsync(requests as Question[]))) {
      expect([answer.validHost, answer.originalRequest?.host]).toEqual(["h", "h"]);
      got.push(plain(answer.messageResponse));
    }
    answers.push(got);
  }
  expect(answers[1]).toEqual(answers[0]);
  return answers[0] as { case: string; value: never }[];
}

async function* toAsync<T>(all: readonly T[]) {
  yield* all;
}

/** Without the names of the message types, which differ between the versions; files by their names. */
function plain(message: unknown): unknown {
  return JSON.parse(
    JSON.stringify(message, (key, value: unknown) => {
      if (key === "$typeName") {
        return undefined;
      }
      return key === "fileDescriptorProto"
        ? Object.values(value as Record<string, Record<string, number>>).map(
            (bytes) =>
              fromBinary(FileDescriptorProtoSchema, Uint8Array.from(Object.values(bytes))).name,
          )
        : value;
    }),
  );
}

const CASTORE = "tvix/castore/protos/castore.proto";
const BLOBSTORE = "tvix/castore/protos/rpc_blobstore.proto";

describe("registerReflection()", () => {
  it("lists the services and itself", async () => {
    const [answer] = await ask({ case: "listServices", value: "*" });
    expect(answer).toEqual({
      case: "listServicesResponse",
      value: {
        service: [
          "grpc.reflection.v1.ServerReflection",
          "grpc.reflection.v1alpha.ServerReflection",
          "tvix.castore.v1.BlobService",
          "tvix.castore.v1.DirectoryService",
          "tvix.store.v1.PathInfoService",
        ].map((name) => ({ name })),
      },
    });
  });

  it.each<["fileByFilename" | "fileContainingSymbol", string, string[]]>([
    ["fileByFilename", BLOBSTORE, [BLOBSTORE]],
    ["fileByFilename", CASTORE, [CASTORE]],
    ["fileContainingSymbol", "tvix.castore.v1.BlobService", [BLOBSTORE]],
    ["fileContainingSymbol", ".tvix.castore.v1.BlobService", [BLOBSTORE]],
    ["fileContainingSymbol", "tvix.castore.v1.BlobService.Stat", [BLOBSTORE]],
    ["fileContainingSymbol", "tvix.castore.v1.StatBlobResponse.ChunkMeta", [BLOBSTORE]],
    ["fileContainingSymbol", "tvix.castore.v1.StatBlobResponse.ChunkMeta.size", [BLOBSTORE]],
    [
      "fileContainingSymbol",
      "tvix.castore.v1.DirectoryService",
      ["tvix/castore/protos/rpc_directory.proto", CASTORE],
    ],
    [
      "fileContainingSymbol",
      "tvix.store.v1.PathInfoService",
      ["tvix/store/protos/rpc_pathinfo.proto", CASTORE, "tvix/store/protos/pathinfo.proto"],
    ],
  ])("answers %s %s with the file and what it needs", async (kind, name, files) => {
    const [answer] = await ask({ case: kind, value: name });
    expect(answer?.case).toBe("fileDescriptorResponse");
    const value = (answer?.value ?? {}) as { fileDescriptorProto?: string[] };
    const got = value.fileDescriptorProto ?? [];
    expect(got[0]).toBe(files[0]);
    expect(new Set(got)).toEqual(new Set(files));
  });

  it("answers what is not there with an error, and goes on", async () => {
    const answers = await ask(
      { case: "fileByFilename", value: "../castore.proto" },
      { case: "fileContainingSymbol", value: "tvix.castore.v1.Nothing" },
      {
        case: "fileContainingExtension",
        value: { containingType: "tvix.castore.v1.Node", extensionNumber: 1 } as never,
      },
      { case: "allExtensionNumbersOfType", value: "nothing" },
      { case: "allExtensionNumbersOfType", value: "tvix.castore.v1.Node" },
      { case: undefined },
    );
    expect(
      answers.map((answer) => [answer.case, (answer.value as { errorCode?: Code }).errorCode]),
    ).toEqual([
      ["errorResponse", Code.NotFound],
      ["errorResponse", Code.NotFound],
      ["errorResponse", Code.NotFound],
      ["errorResponse", Code.NotFound],
      ["allExtensionNumbersResponse", undefined],
      ["errorResponse", Code.InvalidArgument],
    ]);
  });

  it("finds extensions, enums and oneofs", () => {
    const descriptor = FileDescriptorProtoSchema.file as DescFile;
    const index = new DescriptorIndex([descriptor, file_tvix_castore_protos_castore]);
    for (const symbol of [
      "google.protobuf.FieldDescriptorProto.Type",
      "google.protobuf.FieldDescriptorProto.TYPE_BYTES",
      "google.protobuf.FieldDescriptorProto.Type.TYPE_BYTES",
    ]) {
      const expected = symbol.endsWith("Type.TYPE_BYTES") ? undefined : descriptor;
      expect(index.fileBySymbol(symbol)).toBe(expected);
    }
    expect(index.fileBySymbol("tvix.castore.v1.Node.node")).toBe(file_tvix_castore_protos_castore);
    expect(index.extensionNumbers("google.protobuf.FileOptions")).toEqual([]);
  });
});

describe("HealthService", () => {
  const client = () => createClient(Health, harness.channel().transport);

  it("tells whether the server and its services serve", async () => {
    const status = async (service: string) => (await client().check({ service })).status;
    expect(await status("")).toBe(ServingStatus.SERVING);
    expect(await status(BlobService.typeName)).toBe(ServingStatus.SERVING);
    expect(await failure(status("nothing"))).toMatchObject({ code: Code.NotFound });
    health.setAll(false);
    expect(await status("")).toBe(ServingStatus.NOT_SERVING);
    expect(await status(BlobService.typeName)).toBe(ServingStatus.NOT_SERVING);
  });

  it("reports changes to those who watch, until they leave", async () => {
    const controller = new AbortController();
    const watching = client()
      .watch({ service: "late" }, { signal: controller.signal })
      [Symbol.asyncIterator]();
    const next = async () => (await watching.next()).value?.status;
    expect(await next()).toBe(ServingStatus.SERVICE_UNKNOWN);
    health.set("late", false);
    expect(await next()).toBe(ServingStatus.NOT_SERVING);
    health.set("another", true);
    health.set("late", true);
    expect(await next()).toBe(ServingStatus.SERVING);
    controller.abort();
    expect(await failure(next())).toMatchObject({ code: Code.Canceled });
  });
});
