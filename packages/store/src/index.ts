export {
  type CastoreNarUrl,
  castoreNarUrl,
  parseCastoreNarUrl,
} from "./binary-cache/castore-nar-url.js";
export {
  CachePathInfoService,
  type CachePathInfoServiceOptions,
} from "./combinators/cache-path-info-service.js";
export { FallbackPathInfoService } from "./combinators/fallback-path-info-service.js";
export { LimitedPathInfoService } from "./combinators/limited-path-info-service.js";
export {
  type LruPathInfoOptions,
  LruPathInfoService,
} from "./combinators/lru-path-info-service.js";
export { MirrorPathInfoService } from "./combinators/mirror-path-info-service.js";
export { RacePathInfoService } from "./combinators/race-path-info-service.js";
export { ReadOnlyPathInfoService } from "./combinators/read-only-path-info-service.js";
export {
  type SigningPathInfoOptions,
  SigningPathInfoService,
} from "./combinators/signing-path-info-service.js";
export {
  type VerifiedPathInfoOptions,
  VerifiedPathInfoService,
} from "./combinators/verified-path-info-service.js";
export {
  ContentAddressError,
  type ContentAddressErrorReason,
} from "./content-address/content-address-error.js";
export {
  HashModulo,
  type HashModuloOptions,
  MAX_SELF_REFERENCES,
} from "./content-address/hash-modulo.js";
export {
  type ContentAddressClaim,
  type ContentSource,
  isContentAddressed,
  storePathOfContentAddress,
  verifyContentAddress,
} from "./content-address/verify.js";
export { verifyStoredContent } from "./content-address/verify-stored.js";
export {
  type ContentAddress,
  type ContentAddressMethod,
  contentAddress,
  equalContentAddresses,
  formatContentAddress,
  InvalidContentAddressError,
  type InvalidContentAddressReason,
  parseContentAddress,
} from "./content-address.js";
export { StoreError, type StoreErrorCode } from "./errors.js";
export type {
  DescribeOptions,
  StoreCheckOptions,
  StoreCheckProgress,
  StoreFigures,
  StoreFinding,
  StoreMaintenance,
} from "./maintenance/store-maintenance.js";
export { type IngestedNar, type IngestNarOptions, ingestNar } from "./nar/ingest-nar.js";
export {
  NAR_PASS_THROUGH_BYTES,
  NAR_STAGING_BYTES,
  NarEncoder,
  type NarEncoderOptions,
  type NarEncoderPosition,
  type NarSink,
} from "./nar/nar-encoder.js";
export type {
  NarContent,
  NarDirectoryBegin,
  NarDirectoryEnd,
  NarEvent,
  NarFileBegin,
  NarFileEnd,
  NarSymlink,
} from "./nar/nar-event.js";
export { NarFormatError, type NarFormatErrorReason } from "./nar/nar-format-error.js";
export { NarHasher, type NarHasherOptions } from "./nar/nar-hasher.js";
export {
  type LaidOutFile,
  type LaidOutNode,
  type LaidOutStep,
  NarLayout,
} from "./nar/nar-layout.js";
export { NarLayouts, type NarLayoutsOptions } from "./nar/nar-layouts.js";
export { MAX_NAR_FILE_BYTES, NAR_NESTING_LIMIT, type NarLimits } from "./nar/nar-limits.js";
export {
  type FormatNarListingOptions,
  formatNarListing,
  MAX_NAR_LISTING_LENGTH,
} from "./nar/nar-listing.js";
export { NarListingError, type NarListingErrorReason } from "./nar/nar-listing-error.js";
export { NarParser } from "./nar/nar-parser.js";
export { type ReadNarOptions, readNar } from "./nar/nar-reader.js";
export { NarRenderError, type NarRenderErrorReason } from "./nar/nar-render-error.js";
export type { ContentRange, FileStep, NarStep, Place } from "./nar/nar-steps.js";
export {
  type ListedDirectory,
  type ListedFile,
  type ListedNode,
  type ListedSymlink,
  type NarListingLimits,
  parseNarListing,
} from "./nar/parse-nar-listing.js";
export { RememberedNarCalculation } from "./nar/remembered-nar-calculation.js";
export { RenderedNarCalculation } from "./nar/rendered-nar-calculation.js";
export { type CastoreServices, calculateNar, renderNar, writeNar } from "./nar/renderer.js";
export type { NarCalculation, NarCalculationService } from "./nar-calculation.js";
export { MemoryNarRoots } from "./nar-roots/memory.js";
export type { NarRoot, NarRoots } from "./nar-roots/nar-roots.js";
export {
  type NarinfoOptions,
  narinfoFromPathInfo,
  pathInfoFromNarinfo,
} from "./narinfo/convert.js";
export { formatNarinfo } from "./narinfo/format.js";
export { MAX_NAR_URL_LENGTH, narUrlProblem, resolveNarUrl } from "./narinfo/nar-url.js";
export {
  InvalidNarinfoError,
  type InvalidNarinfoReason,
  MAX_NARINFO_BYTES,
  MAX_NARINFO_SIGNATURES,
  type Narinfo,
  type NarinfoPlace,
} from "./narinfo/narinfo.js";
export { parseNarinfo } from "./narinfo/parse.js";
export { isHashAlgorithm } from "./nix-hash/algorithm.js";
export { createHasher, type Hasher } from "./nix-hash/hasher.js";
export {
  InvalidNixHashError,
  type InvalidNixHashReason,
  type NixHashEncoding,
} from "./nix-hash/text.js";
export { HASH_LENGTHS, type HashAlgorithm, NixHash } from "./nix-hash.js";
export {
  decodeNixBase32,
  encodeNixBase32,
  InvalidNixBase32Error,
  type InvalidNixBase32Reason,
  NIXBASE32_ALPHABET,
  nixBase32Length,
} from "./nixbase32.js";
export {
  InvalidPathInfoError,
  type InvalidPathInfoReason,
  MAX_NAR_SIZE,
  PathInfo,
  type PathInfoFields,
} from "./path-info.js";
export { MemoryPathInfoService } from "./pathinfoservice/memory.js";
export type { PathInfoService, PutPathInfoOptions } from "./pathinfoservice/path-info-service.js";
export { getStorePath, PathInfoRootNodes } from "./pathinfoservice/root-nodes.js";
export { ReferenceScanner } from "./references/reference-scanner.js";
export { createSha256, SHA256_LENGTH, type Sha256, sha256 } from "./sha256/sha256.js";
export { fingerprint, type SignedFacts } from "./signature/fingerprint.js";
export {
  InvalidKeyError,
  type InvalidKeyReason,
  isKeyName,
  type KeyTextKind,
  MAX_KEY_NAME_LENGTH,
} from "./signature/key-text.js";
export { SIGNATURE_LENGTH, Signature } from "./signature/signature.js";
export { SigningKey } from "./signature/signing-key.js";
export { TrustedKeys } from "./signature/trusted-keys.js";
export { VerifyingKey } from "./signature/verifying-key.js";
export { type RootFacts, rootFingerprint } from "./signed-root/root-fingerprint.js";
export {
  isRootSignature,
  rootKeyName,
  signRoot,
  verifyRoot,
  withRootSignatures,
} from "./signed-root/root-signature.js";
export { RootSigner } from "./signed-root/root-signer.js";
export {
  hasTrustedRoot,
  type SignaturePolicy,
  type SignedClaim,
  signatureProblem,
} from "./signed-root/signature-policy.js";
export {
  type ContentProof,
  type RootEvidence,
  verifyPathInfo,
} from "./signed-root/verify-path-info.js";
export { type BuildStorePathOptions, buildStorePath } from "./store-path/build.js";
export {
  InvalidStorePathError,
  type InvalidStorePathReason,
  MAX_STORE_PATH_NAME_LENGTH,
  parseStorePathName,
  STORE_DIR,
  STORE_PATH_DIGEST_LENGTH,
  StorePath,
} from "./store-path/store-path.js";
export {
  decodePathInfo,
  encodePathInfo,
  MAX_PATH_INFO_BYTES,
} from "./wire/path-info-codec.js";
