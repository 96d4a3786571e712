import { referenceNar } from "./nar-reference.js";
import { NIX_PATHS, type NixPath } from "./nix-paths.js";

/** What Nix uploads for one store path, uncompressed. */
export interface NixUpload {
  /** Hash in the store path. */
  readonly hash: string;
  /** Where it goes: `/<hash>.narinfo`. */
  readonly narinfoPath: string;
  readonly narinfo: string;
  /** Where it goes: `/nar/<hash of the file>.nar`. */
  readonly narPath: string;
  readonly nar: Uint8Array;
}

/** The upload of one of {@link NIX_PATHS}. */
export function nixUpload(name: string): NixUpload {
  const path = NIX_PATHS.find((candidate) => candidate.name === name);
  if (path?.tree === undefined) throw new RangeError(`There is no path "${name}" with content`);
  const { narinfo } = path;
  const hash = /^StorePath: \/nix\/store\/(.{32})-/.exec(narinfo)?.[1] ?? "";
  return {
    hash,
    narinfo,
    narinfoPath: `/${hash}.narinfo`,
    narPath: `/${/^URL: (.*)$/m.exec(narinfo)?.[1]}`,
    nar: referenceNar(path.tree satisfies NixPath["tree"]),
  };
}

/** A text, one that refers to it, and an output that refers to that and to itself: a closure. */
export const NIX_CLOSURE: readonly NixUpload[] = [
  nixUpload("text"),
  nixUpload("text with a reference"),
  nixUpload("output of a derivation"),
];
