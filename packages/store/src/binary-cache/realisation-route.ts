import { type CallOptions, toUtf8 } from "@tvix/castore";
import { decompress } from "../compression/decompress.js";
import { getStorePath } from "../pathinfoservice/root-nodes.js";
import type { Signature } from "../signature/signature.js";
import type { StorePath } from "../store-path/store-path.js";
import type { CacheParts } from "./cache-parts.js";
import { bytesContent, respondWith } from "./content.js";
import { contentCompression } from "./content-compression.js";
import { type CacheRequest, type CacheResponse, DONE } from "./exchange.js";
import {
  formatRealisation,
  InvalidRealisationError,
  MAX_REALISATION_BYTES,
  MAX_SIGNATURES,
  parseRealisation,
  type Realisation,
  realisationFingerprint,
} from "./realisation.js";
import { CacheRefusal } from "./refusal.js";
import { readBody } from "./request-body.js";
import type { Route } from "./route.js";
import { STREAM_ENCODER } from "./stream-encoder.js";

/** Where the outputs of content-addressed derivations are. Some clients escape what Nix does not. */
export const REALISATION_ROUTE: Route = {
  name: "realisations",
  pattern:
    /^\/realisations\/(sha256(?::|%3[Aa])[0-9a-f]{64}(?:!|%21)[0-9A-Za-z+._=-]{1,211})\.doi$/,
  get: getRealisation,
  put: putRealisation,
};

async function getRealisation(
  { realisations, signer }: CacheParts,
  request: CacheRequest,
  match: RegExpExecArray,
): Promise<CacheResponse> {
  const id = idOf(match);
  const value = await realisations.get(id, { signal: request.signal });
  if (value === undefined) throw new CacheRefusal(404, `there is no realisation ${id}`);
  const stored = parseRealisation(value);
  const added = signer.signText(realisationFingerprint(stored), stored.signatures);
  const text = formatRealisation({ ...stored, signatures: [...stored.signatures, ...added] });
  const type = "application/json";
  const content = bytesContent(toUtf8(text), { type, cacheControl: "no-cache" });
  return respondWith(request, content, STREAM_ENCODER);
}

/**
 * Takes a realisation whose path is here. One that is known with the same path only gains signatures;
 * with another path it stays as it is (409), as in a store of Nix.
 */
async function putRealisation(
  parts: CacheParts,
  request: CacheRequest,
  match: RegExpExecArray,
): Promise<CacheResponse> {
  const id = idOf(match);
  const { signal } = request;
  const realisation = await readRealisation(request);
  if (realisation.id !== id) {
    throw new CacheRefusal(400, `the realisation is ${realisation.id}, not ${id}`);
  }
  checkSignatures(parts, realisation);
  await checkOutPath(parts, realisation, { signal });
  const change = (value: Uint8Array | undefined): Uint8Array => {
    const merged = value === undefined ? realisation : merge(parseRealisation(value), realisation);
    return toUtf8(formatRealisation(merged));
  };
  await parts.realisations.update(id, change, { signal });
  return DONE;
}

function idOf([, text = ""]: RegExpExecArray): string {
  return text.replace(/%3a/i, ":").replace("%21", "!");
}

async function readRealisation(request: CacheRequest): Promise<Realisation> {
  const compression = contentCompression(request);
  const bytes = await readBody(request, MAX_REALISATION_BYTES, {
    signal: request.signal,
    decode: (body) => decompress(compression, body),
  });
  try {
    return parseRealisation(bytes);
  } catch (cause) {
    if (!(cause instanceof InvalidRealisationError)) throw cause;
    throw new CacheRefusal(400, cause.message, {}, { cause });
  }
}

/** A realisation follows from nothing: where keys are trusted, one of them must have signed it. */
function checkSignatures({ options }: CacheParts, realisation: Realisation): void {
  const { trustedKeys } = options;
  if (trustedKeys === undefined) return;
  const text = realisationFingerprint(realisation);
  const isTrusted = realisation.signatures.some((signature) =>
    trustedKeys.keys.some((key) => key.verifyText(text, signature)),
  );
  if (isTrusted) return;
  throw new CacheRefusal(403, `${realisation.id} has no signature by a key that is trusted here`);
}

async function checkOutPath(
  { pathInfos, options }: CacheParts,
  { id, outPath }: Realisation,
  callOptions: CallOptions,
): Promise<void> {
  if (!options.checkReferences) return;
  if ((await getStorePath(pathInfos, outPath, callOptions)) !== undefined) return;
  throw new CacheRefusal(400, `${id} is ${outPath}, which is not here: upload it first`);
}

function merge(known: Realisation, added: Realisation): Realisation {
  if (!known.outPath.equals(added.outPath)) {
    throw new CacheRefusal(409, `${known.id} is known as ${known.outPath}`);
  }
  const [before, now] = [known.dependentRealisations, added.dependentRealisations];
  if (before.size > 0 && now.size > 0 && !isSame(before, now)) {
    throw new CacheRefusal(409, `${known.id} is known with other realisations that it depends on`);
  }
  const signatures = distinct([...known.signatures, ...added.signatures]);
  if (signatures.length > MAX_SIGNATURES) {
    throw new CacheRefusal(409, `${known.id} has ${MAX_SIGNATURES} signatures at most`);
  }
  return { ...known, dependentRealisations: before.size > 0 ? before : now, signatures };
}

function isSame(a: ReadonlyMap<string, StorePath>, b: ReadonlyMap<string, StorePath>): boolean {
  return a.size === b.size && [...a].every(([id, path]) => b.get(id)?.equals(path) === true);
}

function distinct(signatures: readonly Signature[]): readonly Signature[] {
  return signatures.filter((one, i) => signatures.findIndex((other) => other.equals(one)) === i);
}
