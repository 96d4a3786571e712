import { type CallOptions, CastoreError, equalBytes } from "@tvix/castore";
import {
  type CastoreServices,
  ContentAddressError,
  calculateNar,
  isContentAddressed,
  NixHash,
  type PathInfo,
  rootKeyName,
  StoreError,
  type TrustedKeys,
  verifyRoot,
  verifyStoredContent,
} from "@tvix/store";

export interface PathProblemsOptions extends CallOptions {
  /** One of them has to have signed the path, unless it proves itself; `undefined` asks for no signature. */
  readonly trustedKeys: TrustedKeys | undefined;
}

/** Compares what is known about a path with its content, all of which is read. What is wrong, if anything. */
export async function pathProblems(
  store: CastoreServices,
  pathInfo: PathInfo,
  options: PathProblemsOptions,
): Promise<readonly string[]> {
  const call: CallOptions = options.signal === undefined ? {} : { signal: options.signal };
  return [
    ...(await contentProblems(store, pathInfo, call)),
    ...signatureProblems(pathInfo, options.trustedKeys),
  ];
}

async function contentProblems(
  store: CastoreServices,
  pathInfo: PathInfo,
  call: CallOptions,
): Promise<readonly string[]> {
  try {
    const { narSize, narSha256 } = await calculateNar(store, pathInfo.node, call);
    const problems: string[] = [];
    if (narSize !== pathInfo.narSize) {
      problems.push(`its NAR has ${narSize} bytes, not ${pathInfo.narSize}`);
    }
    if (!equalBytes(narSha256, pathInfo.narSha256)) {
      const [actual, stated] = [narSha256, pathInfo.narSha256].map((hash) =>
        NixHash.of("sha256", hash),
      );
      problems.push(`its NAR has the hash ${actual}, not ${stated}`);
    }
    await verifyStoredContent(store, claimOf(pathInfo, narSha256), call);
    return problems;
  } catch (error) {
    call.signal?.throwIfAborted();
    if (error instanceof ContentAddressError) return [error.message];
    const isDamage =
      isStored(error) && (error.code === "CORRUPT" || error.code === "MISSING_REFERENCE");
    if (!isDamage) throw error;
    return [error.message];
  }
}

function isStored(error: unknown): error is StoreError | CastoreError {
  return StoreError.is(error) || CastoreError.is(error);
}

/** The claim, about the NAR that there is. */
function claimOf(
  { storePath, node, references, contentAddress }: PathInfo,
  narSha256: Uint8Array,
): Parameters<typeof verifyStoredContent>[1] {
  return { storePath, node, references, contentAddress, narSha256 };
}

function signatureProblems(
  pathInfo: PathInfo,
  trustedKeys: TrustedKeys | undefined,
): readonly string[] {
  if (trustedKeys === undefined) return [];
  const names = new Set(trustedKeys.keys.map(({ keyName }) => keyName));
  const { signatures } = pathInfo;
  const right = [...trustedKeys.verify(pathInfo), ...verifyRoot(trustedKeys, pathInfo)];
  const wrong = signatures.filter((signature) => !right.includes(signature));
  const ofPath = wrong.filter(({ keyName }) => names.has(keyName));
  const ofRoot = wrong.flatMap((signature) => rootKeyName(signature) ?? []);
  const problems = [
    ...ofPath.map(({ keyName }) => `its signature by ${keyName} is wrong`),
    ...ofRoot
      .filter((keyName) => names.has(keyName))
      .map((keyName) => `the signature of its root by ${keyName} is wrong`),
  ];
  if (right.length === 0 && problems.length === 0 && !isContentAddressed(pathInfo)) {
    return ["no trusted key has signed it"];
  }
  return problems;
}
