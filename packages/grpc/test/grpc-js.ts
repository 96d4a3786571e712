/** The test services through `@grpc/grpc-js`, as its users write them. */

import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, credentials, type MethodDefinition } from "@grpc/grpc-js";

/** A method with serializers of protobuf-es. */
export function grpcJsMethod(method: DescMethod): MethodDefinition<object, never> {
  const serialize = (schema: DescMessage) => (value: object) =>
    Buffer.from(toBinary(schema, create(schema, value as never)));
  const parse = (schema: DescMessage) => (bytes: Buffer) => fromBinary(schema, bytes) as never;
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream:
      method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    responseStream:
      method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    requestSerialize: serialize(method.input),
    requestDeserialize: parse(method.input),
    responseSerialize: serialize(method.output),
    responseDeserialize: parse(method.output),
  };
}

/** A client; close it. */
export function grpcJsClient(target: string): Client {
  return new Client(target, credentials.createInsecure());
}
