import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  type CompositionDocument,
  CompositionError,
  type CompositionPlan,
  composeAddresses,
  defaultRegistry,
  parseComposition,
  planComposition,
  type ServiceKind,
  type StoreAddresses,
  storeAddresses,
  type WrittenAddress,
} from "@tvix/composition";
import { suggest } from "../args/suggest.js";
import { fileError, UsageError } from "../exit.js";
import { type CompositionSource, daemonSocket, type StorePlace } from "./place.js";
import { isAnswering } from "./remote.js";

/** The place of a command line that is put together from several stores. */
export type CompositionPlace = StorePlace & { readonly kind: "composition" };

/**
 * Checks what a composition is read from.
 *
 * @throws {@link UsageError} with everything that is wrong in it
 */
export async function planOf({
  source,
  dataDirectory,
}: CompositionPlace): Promise<CompositionPlan> {
  return await understood(async () => {
    const document = await documentOf(source, dataDirectory);
    return planComposition(document, defaultRegistry(), suggest);
  });
}

/**
 * Checks a file.
 *
 * @throws {@link UsageError} with everything that is wrong in it
 */
export async function planOfFile(file: string): Promise<CompositionPlan> {
  return await understood(() =>
    planComposition(readDocument(file, resolve(file)), defaultRegistry(), suggest),
  );
}

async function understood<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CompositionError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

async function documentOf(
  source: CompositionSource,
  dataDirectory: string,
): Promise<CompositionDocument> {
  if ("file" in source) return readDocument(source.file, source.file);
  // Relative paths in addresses begin where the command was started, as all others on its line.
  return composeAddresses(await addressesOf(source, dataDirectory), process.cwd());
}

/** Far more than any composition with all its comments. */
const MAX_FILE_BYTES = 1024 * 1024;

/** @param shown - the file as messages show it */
function readDocument(shown: string, file: string): CompositionDocument {
  return parseComposition(readText(file, shown), shown, defaultRegistry());
}

function readText(file: string, shown: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw fileError(`cannot read ${shown}`, cause);
  }
  if (bytes.byteLength > MAX_FILE_BYTES) {
    throw new UsageError(`${shown} is larger than ${MAX_FILE_BYTES} bytes`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UsageError(`${shown} is not UTF-8`, { cause });
  }
}

async function addressesOf(
  source: Exclude<CompositionSource, { readonly file: string }>,
  dataDirectory: string,
): Promise<StoreAddresses> {
  if ("store" in source) return ofAll(source.store.address, source.store.origin);
  const { services, rest } = source;
  const others = await addressesOfRest(rest, dataDirectory);
  const of = (kind: ServiceKind): WrittenAddress => {
    const given = services[kind];
    return given === undefined ? others[kind] : { address: given.address, place: given.origin };
  };
  return { blobs: of("blobs"), directories: of("directories"), pathInfos: of("pathInfos") };
}

function ofAll(address: string, place: string): StoreAddresses {
  return storeAddresses({ address, place }, defaultRegistry());
}

/** The store that has the services which were not named. */
async function addressesOfRest(rest: StorePlace, dataDirectory: string): Promise<StoreAddresses> {
  if (rest.kind === "daemon") return ofAll(rest.address, rest.address);
  if (rest.kind === "composition") {
    if ("file" in rest.source) throw new TypeError("A file names all services");
    return await addressesOf(rest.source, dataDirectory);
  }
  const directory = resolve(rest.directory);
  const socket = daemonSocket(directory);
  const hasDaemon = !rest.alone && existsSync(socket) && (await isAnswering(socket));
  const scheme = hasDaemon ? "grpc+unix" : "local";
  const path = (hasDaemon ? socket : directory).split("/").map(encodeURIComponent).join("/");
  return ofAll(`${scheme}://${path}`, directory);
}
