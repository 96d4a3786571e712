import type { WrittenService } from "./composition-document.js";
import type { ShortTable } from "./short-tables.js";

/** What an upstream of the short form gives: content and path infos, or path infos that lead to a near store. */
export interface Upstream {
  /** Blobs and Directories; absent for a binary cache of Nix. */
  readonly content?: WrittenService;
  readonly pathInfos: WrittenService;
  /** What {@link pathInfos} verifies, by the name of {@link unverifiedName}. */
  readonly unverified?: WrittenService;
}

/** What the path infos of an upstream are called before they are verified. */
export function unverifiedName(upstream: string): string {
  return `${upstream}-unverified`;
}

/** Schemes of binary caches of Nix. */
const NIX = /^(?:nix\+)?(https?:\/\/.*)$/s;

/**
 * Reads one of the `[[upstreams]]`: `http(s)://…` is a binary cache of Nix, everything else an address.
 *
 * @returns `undefined` when that was impossible, which is in `problems` then
 */
export function readUpstream(
  table: ShortTable,
  name: string,
  problems: string[],
): Upstream | undefined {
  const { url } = table.values;
  if (typeof url !== "string" || url === "") {
    problems.push(`${table.placeOf("url")} ${url === undefined ? "is missing" : "must be text"}`);
    return undefined;
  }
  const [, cache] = NIX.exec(url) ?? [];
  if (cache !== undefined) return { pathInfos: nixCache(table, cache) };
  if (url.startsWith("grpc+")) {
    const grpc = renamed(table, "grpc", { url: "url", token_file: "token-file" }, {});
    return tvixStore(table, name, grpc);
  }
  if (Object.hasOwn(table.values, "token-file")) {
    problems.push(`${table.placeOf("token-file")} has no meaning for such a url`);
  }
  const address = { address: url, place: table.placeOf("url"), placeOf: table.placeOf };
  return tvixStore(table, name, address);
}

function nixCache(table: ShortTable, url: string): WrittenService {
  const names = {
    base_url: "url",
    trusted_public_keys: "keys",
    accept_unsigned: "accept-unsigned",
    token_file: "token-file",
  };
  const near = { blob_service: "&cache", directory_service: "&cache", path_info_service: "&cache" };
  return renamed(table, "nix", names, { base_url: url, ...near });
}

/** A store of tvix, of which path infos are not believed unless they are signed. */
function tvixStore(table: ShortTable, name: string, content: WrittenService): Upstream {
  const trust = { trusted_public_keys: "keys", accept_unsigned: "accept-unsigned" };
  const inner = `&${unverifiedName(name)}`;
  return {
    content,
    pathInfos: renamed(table, "verified", trust, { inner }),
    unverified: content,
  };
}

/** A service of `type` whose keys have other names in the short form. */
export function renamed(
  table: ShortTable,
  type: string,
  names: Readonly<Record<string, string>>,
  fixed: Readonly<Record<string, unknown>>,
): WrittenService {
  const entries = Object.entries(names).flatMap(([key, short]) =>
    Object.hasOwn(table.values, short) ? [[key, table.values[short]] as const] : [],
  );
  return {
    place: table.place,
    placeOf: (key) => table.placeOf(names[key] ?? key),
    type,
    values: { ...Object.fromEntries(entries), ...fixed },
  };
}
