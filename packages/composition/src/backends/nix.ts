import type { TrustedKeys } from "@tvix/store";
import {
  NixCachePathInfoService,
  parseCacheAddress,
  type SignaturePolicy,
} from "@tvix/store/upstream";
import { refuse, type ServiceAddress } from "../address/service-address.js";
import { type Field, FieldError } from "../fields/field.js";
import { alias, defaulted, optional, path, service, time } from "../fields/fields.js";
import type { BackendRegistry } from "../registry/backend-registry.js";
import { ForgetfulPathInfoService } from "./forgetful-path-info-service.js";
import { readToken } from "./text-files.js";
import { TRUST_FIELDS, trustRule } from "./trust.js";

/**
 * `nix+https://HOST/PATH`: path infos of a binary cache of Nix. What they lead to is fetched, verified and put
 * into `blob_service` and `directory_service`.
 */
export function registerNix(registry: BackendRegistry): void {
  registry.register("pathInfos", {
    types: ["nix"],
    schemes: ["nix+http", "nix+https"],
    fields: {
      base_url: cacheUrl(),
      blob_service: defaulted(service("blobs"), "&root"),
      directory_service: defaulted(service("directories"), "&root"),
      path_info_service: optional(service("pathInfos")),
      ...TRUST_FIELDS,
      token_file: alias(optional(path()), "token-file"),
      misses_for: alias(optional(time()), "misses-for"),
    },
    fromAddress,
    rule: trustRule,
    open: async (settings, context) => {
      const { blob_service, directory_service, path_info_service, token_file, misses_for } =
        settings;
      const { service: blobs } = await context.open(blob_service);
      const { service: directories } = await context.open(directory_service);
      const known = path_info_service && (await context.open(path_info_service));
      const pathInfos = known?.service ?? new ForgetfulPathInfoService();
      const token = token_file && (await readToken(token_file, context.label));
      const upstream = new NixCachePathInfoService(
        parseCacheAddress(settings.base_url),
        { blobs, directories, pathInfos },
        {
          signatures: policy(settings.trusted_public_keys),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(misses_for === undefined ? {} : { negativeTimeToLive: misses_for }),
        },
      );
      context.onClose(() => upstream.close());
      return { service: upstream };
    },
  });
}

/** Believing anybody has to be said. */
function policy(keys: TrustedKeys | undefined): SignaturePolicy {
  return keys === undefined ? "accept-unsigned" : { trustedKeys: keys };
}

function fromAddress(address: ServiceAddress): Readonly<Record<string, unknown>> {
  const { text, scheme, authority = "", path: itsPath } = address;
  if (authority === "") refuse(text, `it must look like ${scheme}://HOST/PATH`);
  return { base_url: `${scheme.slice("nix+".length)}://${authority}${itsPath}` };
}

function cacheUrl(): Field<string> {
  const isUrl = (value: unknown): value is string => {
    if (typeof value !== "string" || !/^https?:\/\//.test(value)) return false;
    return URL.canParse(value);
  };
  return {
    isOptional: false,
    parse: (value) => {
      if (!isUrl(value)) throw new FieldError("must be a URL that starts with http:// or https://");
      const { username, password, search, hash } = new URL(value);
      if (username !== "" || password !== "") {
        throw new FieldError("has no place for a user name or password: name a token_file");
      }
      if (search !== "" || hash !== "") throw new FieldError("must be a URL without ? and #");
      return value;
    },
  };
}
