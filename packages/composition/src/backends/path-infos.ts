import {
  InvalidKeyError,
  LruPathInfoService,
  RenderedNarCalculation,
  SigningKey,
  SigningPathInfoService,
  VerifiedPathInfoService,
} from "@tvix/store";
import { CompositionError } from "../composition-error.js";
import {
  alias,
  choice,
  count,
  defaulted,
  flag,
  optional,
  path,
  service,
} from "../fields/fields.js";
import type { BackendRegistry } from "../registry/backend-registry.js";
import { readText } from "./text-files.js";
import { TRUST_FIELDS, trustRule } from "./trust.js";

const MAX_CAPACITY = 100_000_000;

/** What there is for path infos alone: `lru`, `keyfile-signing`, and a `verified` that looks at signatures. */
export function registerPathInfos(registry: BackendRegistry): void {
  registry.register("pathInfos", {
    types: ["lru"],
    fields: { capacity: count(1, MAX_CAPACITY), inner: optional(service("pathInfos")) },
    open: async ({ capacity, inner }, context) => {
      if (inner === undefined) return { service: new LruPathInfoService({ capacity }) };
      const opened = await context.open(inner);
      return { service: new LruPathInfoService({ capacity, inner: opened.service }) };
    },
  });
  registerSigning(registry);
  registerVerified(registry);
}

function registerSigning(registry: BackendRegistry): void {
  registry.register("pathInfos", {
    types: ["keyfile-signing", "signing"],
    fields: {
      inner: service("pathInfos"),
      keyfile: path(),
      on_get: defaulted(flag(), "false"),
    },
    open: async ({ inner, keyfile, on_get }, context) => {
      const key = await readKey(keyfile, context.label);
      const opened = await context.open(inner);
      const options = { keys: [key], onGet: on_get };
      return { service: new SigningPathInfoService(opened.service, options) };
    },
  });
}

/** The message does not repeat what is in the file. */
async function readKey(file: string, label: string): Promise<SigningKey> {
  const text = (await readText(file, label)).trim();
  try {
    return SigningKey.parse(text);
  } catch (cause) {
    if (!(cause instanceof InvalidKeyError)) throw cause;
    const what = "does not hold one secret key of Nix, NAME:BASE64";
    throw new CompositionError("unusable", [`${label}: the file ${file} ${what}`], { cause });
  }
}

function registerVerified(registry: BackendRegistry): void {
  registry.register("pathInfos", {
    types: ["verified"],
    fields: {
      inner: service("pathInfos"),
      ...TRUST_FIELDS,
      require: defaulted(choice(["any", "root"]), "any"),
      blob_service: alias(defaulted(service("blobs"), "&root"), "blob-service"),
      directory_service: alias(defaulted(service("directories"), "&root"), "directory-service"),
    },
    rule: trustRule,
    open: async (
      { inner, trusted_public_keys, require, blob_service, directory_service },
      context,
    ) => {
      const { service: blobs } = await context.open(blob_service);
      const { service: directories } = await context.open(directory_service);
      const narCalculation = new RenderedNarCalculation({ blobs, directories });
      const signatures =
        trusted_public_keys === undefined
          ? "accept-unsigned"
          : { trustedKeys: trusted_public_keys, require };
      return {
        service: new VerifiedPathInfoService((await context.open(inner)).service, {
          signatures,
          content: { blobs, directories, narCalculation },
        }),
      };
    },
  });
}
