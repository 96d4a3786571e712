import { type DescFile, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  file_tvix_castore_protos_castore,
  file_tvix_castore_protos_rpc_blobstore,
  file_tvix_castore_protos_rpc_directory,
  NodeSchema,
} from "./castore.js";
import {
  file_tvix_store_protos_pathinfo,
  file_tvix_store_protos_rpc_pathinfo,
  NARInfo_CA_Hash,
  PathInfoSchema,
} from "./store.js";

const FILES = [
  file_tvix_castore_protos_castore,
  file_tvix_castore_protos_rpc_blobstore,
  file_tvix_castore_protos_rpc_directory,
  file_tvix_store_protos_pathinfo,
  file_tvix_store_protos_rpc_pathinfo,
];

/** `Message.field` to `number type`, nested messages included. */
function fieldsOf(file: DescFile): Record<string, string> {
  const found: Record<string, string> = {};
  const visit = (message: DescMessage): void => {
    const name = message.typeName.replace(/^tvix\.(castore|store)\.v1\./, "");
    for (const field of message.fields) {
      const { type } = field.proto;
      const kind = field.fieldKind === "list" ? `repeated ${field.listKind}` : field.fieldKind;
      const oneof = field.oneof === undefined ? "" : ` in ${field.oneof.name}`;
      found[`${name}.${field.name}`] = `${field.number} ${kind} ${type}${oneof}`;
    }
    message.nestedMessages.forEach(visit);
  };
  file.messages.forEach(visit);
  return found;
}

// Field types as descriptor.proto numbers them.
const STRING = 9;
const BYTES = 12;
const UINT64 = 4;
const BOOL = 8;
const ENUM = 14;
const MESSAGE = 11;

function hexToBytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function bytesToHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

describe("the schemas", () => {
  it("keep every name, number and type that peers know", () => {
    expect(Object.assign({}, ...FILES.map(fieldsOf))).toEqual({
      "Directory.directories": `1 repeated message ${MESSAGE}`,
      "Directory.files": `2 repeated message ${MESSAGE}`,
      "Directory.symlinks": `3 repeated message ${MESSAGE}`,
      "DirectoryNode.name": `1 scalar ${BYTES}`,
      "DirectoryNode.digest": `2 scalar ${BYTES}`,
      "DirectoryNode.size": `3 scalar ${UINT64}`,
      "FileNode.name": `1 scalar ${BYTES}`,
      "FileNode.digest": `2 scalar ${BYTES}`,
      "FileNode.size": `3 scalar ${UINT64}`,
      "FileNode.executable": `4 scalar ${BOOL}`,
      "SymlinkNode.name": `1 scalar ${BYTES}`,
      "SymlinkNode.target": `2 scalar ${BYTES}`,
      "Node.directory": `1 message ${MESSAGE} in node`,
      "Node.file": `2 message ${MESSAGE} in node`,
      "Node.symlink": `3 message ${MESSAGE} in node`,
      "StatBlobRequest.digest": `1 scalar ${BYTES}`,
      "StatBlobRequest.send_chunks": `2 scalar ${BOOL}`,
      "StatBlobRequest.send_bao": `3 scalar ${BOOL}`,
      "StatBlobResponse.chunks": `2 repeated message ${MESSAGE}`,
      "StatBlobResponse.bao": `3 scalar ${BYTES}`,
      "StatBlobResponse.ChunkMeta.digest": `1 scalar ${BYTES}`,
      "StatBlobResponse.ChunkMeta.size": `2 scalar ${UINT64}`,
      "ReadBlobRequest.digest": `1 scalar ${BYTES}`,
      "BlobChunk.data": `1 scalar ${BYTES}`,
      "PutBlobResponse.digest": `1 scalar ${BYTES}`,
      "GetDirectoryRequest.digest": `1 scalar ${BYTES} in by_what`,
      "GetDirectoryRequest.recursive": `2 scalar ${BOOL}`,
      "PutDirectoryResponse.root_digest": `1 scalar ${BYTES}`,
      "PathInfo.node": `1 message ${MESSAGE}`,
      "PathInfo.references": `2 repeated scalar ${BYTES}`,
      "PathInfo.narinfo": `3 message ${MESSAGE}`,
      "StorePath.name": `1 scalar ${STRING}`,
      "StorePath.digest": `2 scalar ${BYTES}`,
      "NARInfo.nar_size": `1 scalar ${UINT64}`,
      "NARInfo.nar_sha256": `2 scalar ${BYTES}`,
      "NARInfo.signatures": `3 repeated message ${MESSAGE}`,
      "NARInfo.reference_names": `4 repeated scalar ${STRING}`,
      "NARInfo.deriver": `5 message ${MESSAGE}`,
      "NARInfo.ca": `6 message ${MESSAGE}`,
      "NARInfo.Signature.name": `1 scalar ${STRING}`,
      "NARInfo.Signature.data": `2 scalar ${BYTES}`,
      "NARInfo.CA.type": `1 enum ${ENUM}`,
      "NARInfo.CA.digest": `2 scalar ${BYTES}`,
      "GetPathInfoRequest.by_output_hash": `1 scalar ${BYTES} in by_what`,
      "CalculateNARResponse.nar_size": `1 scalar ${UINT64}`,
      "CalculateNARResponse.nar_sha256": `2 scalar ${BYTES}`,
    });
  });

  it("keep every call that peers know", () => {
    const calls = FILES.flatMap((file) =>
      file.services.flatMap((service) =>
        service.methods.map(
          ({ name, methodKind, input, output }) =>
            `${service.typeName}/${name} ${methodKind} ${input.name} ${output.name}`,
        ),
      ),
    );
    expect(calls).toEqual([
      "tvix.castore.v1.BlobService/Stat unary StatBlobRequest StatBlobResponse",
      "tvix.castore.v1.BlobService/Read server_streaming ReadBlobRequest BlobChunk",
      "tvix.castore.v1.BlobService/Put client_streaming BlobChunk PutBlobResponse",
      "tvix.castore.v1.DirectoryService/Get server_streaming GetDirectoryRequest Directory",
      "tvix.castore.v1.DirectoryService/Put client_streaming Directory PutDirectoryResponse",
      "tvix.store.v1.PathInfoService/Get unary GetPathInfoRequest PathInfo",
      "tvix.store.v1.PathInfoService/Put unary PathInfo PathInfo",
      "tvix.store.v1.PathInfoService/CalculateNAR unary Node CalculateNARResponse",
      "tvix.store.v1.PathInfoService/List server_streaming ListPathInfoRequest PathInfo",
    ]);
  });

  it("keep the numbers of content address kinds", () => {
    expect(NARInfo_CA_Hash).toEqual({
      NAR_SHA256: 0,
      NAR_SHA1: 1,
      NAR_SHA512: 2,
      NAR_MD5: 3,
      TEXT_SHA256: 4,
      FLAT_SHA1: 5,
      FLAT_MD5: 6,
      FLAT_SHA256: 7,
      FLAT_SHA512: 8,
    });
  });
});

// Bytes that tvix itself uses in its tests: PATH_INFO_SYMLINK, and HELLOWORLD as an anonymous node.
const PATH_INFO_SYMLINK =
  "0a441a420a2630303030303030303030303030303030303030303030303030303030303030302d64756d6d79" +
  "12182f6e69782f73746f72652f736f6d657768657265656c73651a250888011220" +
  "097d397e9b5826384eaa16c457715d1c1a51670313ead0f58566e0b232539cf1";
const HELLO_WORLD_NODE =
  "122412205ca7815adcb484e9a136c11efe69c1d530176d549b5d18d038eb5280b4b3470c180c";

describe("PathInfo", () => {
  it("decodes what tvix encodes, and encodes it to the same bytes", () => {
    const message = fromBinary(PathInfoSchema, hexToBytes(PATH_INFO_SYMLINK));
    expect(message.node?.node.case).toBe("symlink");
    expect(message.narinfo?.narSize).toBe(136n);
    expect(message.narinfo?.ca).toBeUndefined();
    expect(bytesToHex(toBinary(PathInfoSchema, message))).toBe(PATH_INFO_SYMLINK);
  });
});

describe("Node", () => {
  it("decodes what tvix encodes, and encodes it to the same bytes", () => {
    const message = fromBinary(NodeSchema, hexToBytes(HELLO_WORLD_NODE));
    expect(message.node).toMatchObject({ case: "file", value: { size: 12n, executable: false } });
    expect(bytesToHex(toBinary(NodeSchema, message))).toBe(HELLO_WORLD_NODE);
  });
});
