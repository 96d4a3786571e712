/**
 * Realisations: which store path an output of a content-addressed derivation turned out to be. JSON, as
 * Nix writes it (no document of Nix says more):
 *
 *     { "dependentRealisations": { ID: BASE NAME, … },
 *       "id":         "sha256:<64 hexadecimal digits>!<name of the output>",
 *       "outPath":    base name of a store path,
 *       "signatures": [ "<key name>:<base64>", … ] }
 *
 * The hash is one of the derivation. Signatures cover the same object without themselves, its keys in order
 * and without white space. Other keys are skipped, like those of a narinfo.
 */
import { StoreError } from "../errors.js";
import { Signature } from "../signature/signature.js";
import { StorePath } from "../store-path/store-path.js";

/** Longest text that is read. */
export const MAX_REALISATION_BYTES: number = 1024 * 1024;

/** Most signatures of one realisation. */
export const MAX_SIGNATURES: number = 256;

const ID = /^sha256:[0-9a-f]{64}![0-9A-Za-z+._?=-]{1,211}$/;

/** Where an output of a derivation is. */
export interface Realisation {
  readonly id: string;
  readonly outPath: StorePath;
  readonly signatures: readonly Signature[];
  /** The realisations that this one was built with, by id. */
  readonly dependentRealisations: ReadonlyMap<string, StorePath>;
}

/** A text that is not a realisation. */
export class InvalidRealisationError extends StoreError {
  override readonly name: string = "InvalidRealisationError";

  constructor(what: string, options?: ErrorOptions) {
    super("INVALID_ARGUMENT", `Cannot read a realisation: ${what}`, options);
  }
}

/** @throws {@link InvalidRealisationError} */
export function parseRealisation(bytes: Uint8Array): Realisation {
  const fields = objectIn(parseJson(bytes), "it is not a JSON object");
  const { id, outPath, signatures = [], dependentRealisations = {} } = fields;
  if (!isId(id)) throw new InvalidRealisationError("its id is not sha256:HASH!OUTPUT");
  if (!Array.isArray(signatures) || signatures.length > MAX_SIGNATURES) {
    throw new InvalidRealisationError(`its signatures are no list of at most ${MAX_SIGNATURES}`);
  }
  const dependent = objectIn(dependentRealisations, "its dependentRealisations are no object");
  return {
    id,
    outPath: storePathIn(outPath),
    signatures: signatures.map(signatureIn),
    dependentRealisations: new Map(
      Object.entries(dependent).map(([key, path]) => {
        if (!isId(key)) throw new InvalidRealisationError("one it depends on has no such id");
        return [key, storePathIn(path)];
      }),
    ),
  };
}

/** What Nix would write. */
export function formatRealisation(realisation: Realisation): string {
  const signatures = realisation.signatures.map((signature) => signature.format());
  return JSON.stringify({ ...signedFields(realisation), signatures });
}

/** What the signatures of a realisation cover. */
export function realisationFingerprint(realisation: Realisation): string {
  return JSON.stringify(signedFields(realisation));
}

function signedFields({ id, outPath, dependentRealisations }: Realisation): object {
  const dependent = [...dependentRealisations].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    dependentRealisations: Object.fromEntries(
      dependent.map(([key, path]) => [key, path.baseName] as const),
    ),
    id,
    outPath: outPath.baseName,
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new InvalidRealisationError("it is not JSON", { cause });
  }
}

function objectIn(value: unknown, otherwise: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidRealisationError(otherwise);
  }
  return value as Readonly<Record<string, unknown>>;
}

function isId(value: unknown): value is string {
  return typeof value === "string" && ID.test(value);
}

function storePathIn(value: unknown): StorePath {
  if (typeof value !== "string") throw new InvalidRealisationError("a path in it is no text");
  try {
    return StorePath.parse(value);
  } catch (cause) {
    if (!StoreError.is(cause)) throw cause;
    throw new InvalidRealisationError(cause.message, { cause });
  }
}

function signatureIn(value: unknown): Signature {
  if (typeof value !== "string") throw new InvalidRealisationError("a signature is no text");
  try {
    return Signature.parse(value);
  } catch (cause) {
    if (!StoreError.is(cause)) throw cause;
    throw new InvalidRealisationError(cause.message, { cause });
  }
}
