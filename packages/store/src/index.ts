export {
  type ContentAddress,
  type ContentAddressMethod,
  contentAddress,
  equalContentAddresses,
  formatContentAddress,
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
export {
  NAR_PASS_THROUGH_BYTES,
  NAR_STAGING_BYTES,
  NarEncoder,
  type NarEncoderOptions,
  type NarSink,
} from "./nar/nar-encoder.js";
export { NarHasher } from "./nar/nar-hasher.js";
export { NarRenderError, type NarRenderErrorReason } from "./nar/nar-render-error.js";
export { RememberedNarCalculation } from "./nar/remembered-nar-calculation.js";
export { RenderedNarCalculation } from "./nar/rendered-nar-calculation.js";
export { type CastoreServices, calculateNar, renderNar } from "./nar/renderer.js";
export type { NarCalculation, NarCalculationService } from "./nar-calculation.js";
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
export type { PathInfoService } from "./pathinfoservice/path-info-service.js";
export { createSha256, SHA256_LENGTH, type Sha256, sha256 } from "./sha256/sha256.js";
export { SIGNATURE_LENGTH, Signature } from "./signature/signature.js";
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
