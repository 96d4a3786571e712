import {
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { ChannelOptions, MethodDefinition } from "@grpc/grpc-js";
import {
  type BlobChunk,
  BlobService,
  type PutBlobResponse,
  type ReadBlobRequest,
  type StatBlobRequest,
  type StatBlobResponse,
} from "@tvix/protos/castore";

/**
 * What `@grpc/grpc-js` does best with, for client and server. Windows are known to its client alone:
 * its server takes uploads through the 64 KiB that `node:http2` starts with.
 */
export const PEER_OPTIONS: ChannelOptions = {
  "grpc-node.flow_control_window": 4 * 1024 * 1024,
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  // No compression.
  "grpc.default_compression_algorithm": 0,
  // Each costs time for every call.
  "grpc.enable_retries": 0,
  "grpc.enable_channelz": 0,
};

/**
 * The methods of BlobService with the codec that we use too: protobuf-es was as fast as protobufjs, or
 * faster, with bytes.
 */
export const PEER_METHODS: {
  readonly stat: MethodDefinition<StatBlobRequest, StatBlobResponse>;
  readonly put: MethodDefinition<BlobChunk, PutBlobResponse>;
  readonly read: MethodDefinition<ReadBlobRequest, BlobChunk>;
} = {
  stat: definition(BlobService.method.stat),
  put: definition(BlobService.method.put),
  read: definition(BlobService.method.read),
};

function definition<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { readonly input: I; readonly output: O },
): MethodDefinition<MessageShape<I>, MessageShape<O>> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: method.methodKind === "client_streaming",
    responseStream: method.methodKind === "server_streaming",
    requestSerialize: encoder(method.input),
    requestDeserialize: decoder(method.input),
    responseSerialize: encoder(method.output),
    responseDeserialize: decoder(method.output),
  };
}

function encoder<T extends DescMessage>(schema: T): (message: MessageShape<T>) => Buffer {
  return (message) => {
    const bytes = toBinary(schema, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function decoder<T extends DescMessage>(schema: T): (bytes: Buffer) => MessageShape<T> {
  // Parts of a Buffer would be Buffers, which stores do not take.
  return (bytes) =>
    fromBinary(schema, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}
