import { dirname, resolve } from "node:path";
import { CompositionError } from "../composition-error.js";
import type { BackendRegistry } from "../registry/backend-registry.js";
import { SERVICE_KINDS, type ServiceKind } from "../service-kind.js";
import { writtenAt } from "./compose-addresses.js";
import type { CompositionDocument, WrittenService } from "./composition-document.js";
import { type ShortForm, type ShortTable, shortTables } from "./short-tables.js";
import { storeAddresses } from "./store-addresses.js";
import type { TomlSource } from "./toml-source.js";
import { readUpstream, renamed, type Upstream, unverifiedName } from "./upstreams.js";

/**
 * Reads the short form: `[store]` is read first and written to, `[[upstreams]]` are asked in turn for what it
 * does not have, and what they send is kept in `[cache]`. Without a store the cache takes its place.
 *
 * It becomes services named `store`, `cache`, `upstream-1`, ..., and `root`.
 *
 * @throws {@link CompositionError}
 */
export function readShortForm(source: TomlSource, registry: BackendRegistry): CompositionDocument {
  const problems: string[] = [];
  const form = shortTables(source, problems);
  const { store, cache, upstreams } = form;
  if (problems.length === 0 && store === undefined && upstreams.length === 0) {
    problems.push(`${source.file}: there is neither a [store] nor any [[upstreams]]`);
  }
  if (cache !== undefined && upstreams.length === 0) {
    problems.push(`${cache.place} there are no [[upstreams]] whose content it could keep`);
  }
  const read = upstreams.map((table, index) => readUpstream(table, upstreamName(index), problems));
  const own = store && storeServices(store, registry, problems);
  if (problems.length > 0) throw new CompositionError("invalid", problems);
  const sound = read.filter((upstream) => upstream !== undefined);
  const kinds = SERVICE_KINDS.map((kind) => servicesOf(kind, source.file, form, sound, own));
  const [blobs, directories, pathInfos] = kinds;
  return {
    blobs: blobs ?? new Map(),
    directories: directories ?? new Map(),
    pathInfos: pathInfos ?? new Map(),
    origin: source.file,
    directory: dirname(resolve(source.file)),
  };
}

type StoreServices = { readonly [K in ServiceKind]: WrittenService };

function storeServices(
  table: ShortTable,
  registry: BackendRegistry,
  problems: string[],
): StoreServices | undefined {
  const { address } = table.values;
  const place = table.placeOf("address");
  if (typeof address !== "string" || address === "") {
    problems.push(`${place} ${address === undefined ? "is missing" : "must be an address"}`);
    return undefined;
  }
  const { blobs, directories, pathInfos } = storeAddresses({ address, place }, registry);
  return {
    blobs: writtenAt(blobs),
    directories: writtenAt(directories),
    pathInfos: writtenAt(pathInfos),
  };
}

function servicesOf(
  kind: ServiceKind,
  file: string,
  { cache }: ShortForm,
  upstreams: readonly Upstream[],
  own: StoreServices | undefined,
): ReadonlyMap<string, WrittenService> {
  const services = new Map<string, WrittenService>();
  if (upstreams.length === 0) return own === undefined ? services : services.set("root", own[kind]);
  const near = cache ?? wholeFile(file);
  services.set("cache", renamed(near, "local", { path: "dir" }, {}));
  const far = addUpstreams(services, kind, file, upstreams);
  // Where no upstream has content of its own, what they lead to is in the cache.
  const cached =
    far === undefined
      ? services.get("cache")
      : renamed(near, "cache", { max_near_size: "size" }, { near: "&cache", far });
  if (cached === undefined) return services;
  if (own === undefined) return services.set("root", cached);
  const stores = { stores: ["&store", "&cached"] };
  services.set("store", own[kind]).set("cached", cached);
  return services.set("root", renamed(wholeFile(file), "fallback", {}, stores));
}

/** @returns the reference to all upstreams that have such a service; `undefined` when none has */
function addUpstreams(
  services: Map<string, WrittenService>,
  kind: ServiceKind,
  file: string,
  upstreams: readonly Upstream[],
): string | undefined {
  const names = upstreams.flatMap((upstream, index) => {
    const service = kind === "pathInfos" ? upstream.pathInfos : upstream.content;
    if (service === undefined) return [];
    const name = upstreamName(index);
    services.set(name, service);
    if (kind === "pathInfos" && upstream.unverified !== undefined) {
      services.set(unverifiedName(name), upstream.unverified);
    }
    return [`&${name}`];
  });
  if (names.length < 2) return names[0];
  services.set("upstreams", renamed(wholeFile(file), "fallback", {}, { stores: names }));
  return "&upstreams";
}

function upstreamName(index: number): string {
  return `upstream-${index + 1}`;
}

/** What the short form says by itself, without a table. */
function wholeFile(file: string): ShortTable {
  return { place: `${file}:`, placeOf: (key) => `${file}: ${key}`, values: {} };
}
