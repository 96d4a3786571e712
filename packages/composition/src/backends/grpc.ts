import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore/grpc";
import {
  parseRpcAddress,
  type RpcAddress,
  RpcAddressError,
  type RpcChannel,
  type RpcChannelOptions,
} from "@tvix/grpc";
import { GrpcNarCalculation, GrpcPathInfoService, GrpcStoreMaintenance } from "@tvix/store/grpc";
import { refuse, type ServiceAddress } from "../address/service-address.js";
import { type Field, FieldError, type SettingsOf } from "../fields/field.js";
import { alias, defaulted, flag, optional, path } from "../fields/fields.js";
import type { OpenContext, WholeStore } from "../registry/backend.js";
import type { BackendRegistry } from "../registry/backend-registry.js";
import { readText, readToken } from "./text-files.js";

const FIELDS = {
  url: rpcAddress(),
  token_file: alias(optional(path()), "token-file"),
  tls_ca_cert_path: alias(optional(path()), "tls-ca-cert-path"),
  tls_client_cert_path: alias(optional(path()), "tls-client-cert-path"),
  tls_client_key_path: alias(optional(path()), "tls-client-key-path"),
  trusts_chunk_lists: alias(defaulted(flag(), "false"), "trusts-chunk-lists"),
  wait_connect: alias(defaulted(flag(), "false"), "wait-connect"),
};

const SCHEMES = ["grpc+http", "grpc+https", "grpc+unix"];

/** `grpc+http://HOST:PORT`, `grpc+https://HOST:PORT`, `grpc+unix:///PATH`: a service behind a server. */
export function registerGrpc(registry: BackendRegistry): void {
  const common = { schemes: SCHEMES, fields: FIELDS, fromAddress };
  registry.register("blobs", {
    ...common,
    types: ["grpc"],
    open: async (settings, context) => {
      const { transport, whole } = await connect(settings, context);
      const trustsChunkLists = settings.trusts_chunk_lists;
      return { service: new GrpcBlobService(transport, { trustsChunkLists }), whole };
    },
  });
  registry.register("directories", {
    ...common,
    types: ["grpc"],
    open: async (settings, context) => {
      const { transport, whole } = await connect(settings, context);
      return { service: new GrpcDirectoryService(transport), whole };
    },
  });
  registry.register("pathInfos", {
    ...common,
    types: ["grpc"],
    open: async (settings, context) => {
      const { transport, whole } = await connect(settings, context);
      return { service: new GrpcPathInfoService(transport), whole };
    },
  });
}

/** The part before the question mark; `grpc+unix:/PATH` is as good as with three slashes. */
function fromAddress(address: ServiceAddress): Readonly<Record<string, unknown>> {
  const { text, scheme, authority = "", path: itsPath } = address;
  const url = `${scheme}://${authority}${itsPath}`;
  if (!isSlashed(address)) refuse(text, `it must look like ${scheme}://HOST:PORT`);
  try {
    parseRpcAddress(url);
  } catch (error) {
    if (error instanceof RpcAddressError) refuse(text, problemOf(error));
    throw error;
  }
  return { url };
}

function isSlashed({ scheme, authority, path: itsPath }: ServiceAddress): boolean {
  return authority !== undefined || (scheme === "grpc+unix" && itsPath.startsWith("/"));
}

function rpcAddress(): Field<RpcAddress> {
  return {
    isOptional: false,
    parse: (value) => {
      if (typeof value !== "string")
        throw new FieldError("must be an address, such as grpc+http://HOST:PORT");
      if (/^[^/]*\/\/[^/?#]*@/.test(value)) {
        throw new FieldError("has no place for a user name or password: name a token_file");
      }
      try {
        return parseRpcAddress(value.replace(/^grpc\+unix:\/(?!\/)/, "grpc+unix:///"));
      } catch (error) {
        if (!(error instanceof RpcAddressError)) throw error;
        throw new FieldError(`cannot be used: ${problemOf(error)}`);
      }
    },
  };
}

/** What is wrong, without the address. */
function problemOf(error: RpcAddressError): string {
  return error.message.slice(`Cannot parse address ${JSON.stringify(error.address)}: `.length);
}

type GrpcSettings = SettingsOf<typeof FIELDS>;

/** One for each channel, so that its services show that they belong together. */
const WHOLE = new WeakMap<RpcChannel, WholeStore>();

async function connect(
  settings: GrpcSettings,
  context: OpenContext,
): Promise<{ transport: RpcChannel["transport"]; whole: WholeStore }> {
  const channel = context.channel(settings.url, await channelOptions(settings, context));
  if (settings.wait_connect) await channel.connect();
  const { transport } = channel;
  const known = WHOLE.get(channel);
  if (known !== undefined) return { transport, whole: known };
  const whole: WholeStore = {
    maintenance: new GrpcStoreMaintenance(transport),
    narCalculation: new GrpcNarCalculation(transport),
  };
  WHOLE.set(channel, whole);
  return { transport, whole };
}

async function channelOptions(
  settings: GrpcSettings,
  { label }: OpenContext,
): Promise<RpcChannelOptions> {
  const { token_file, tls_ca_cert_path, tls_client_cert_path, tls_client_key_path } = settings;
  const tls = {
    ca: await textOf(tls_ca_cert_path, label),
    cert: await textOf(tls_client_cert_path, label),
    key: await textOf(tls_client_key_path, label),
  };
  const hasTls = Object.values(tls).some((text) => text !== undefined);
  return {
    ...(token_file === undefined ? {} : { token: await readToken(token_file, label) }),
    ...(hasTls ? { tls } : {}),
  };
}

async function textOf(file: string | undefined, label: string): Promise<string | undefined> {
  return file === undefined ? undefined : await readText(file, label);
}
