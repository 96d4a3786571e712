/** Conformance suites and fixtures for implementations of the services. Needs vitest and fast-check. */
export {
  type Closure,
  closures,
  digests,
  directories,
  nodeSizes,
  nodes,
  pathComponents,
  symlinkTargets,
} from "./arbitraries.js";
export {
  type BlobServiceHarness,
  type BlobServiceSuiteOptions,
  blobServiceSuite,
} from "./blob-service-suite.js";
export { ChunkingBlobService } from "./chunking-blob-service.js";
export {
  CLOSURES,
  chain,
  closureFixture,
  directoryOf,
  largeDirectory,
  NOWHERE,
  nodeOf,
} from "./directory-builders.js";
export {
  type DirectoryServiceHarness,
  type DirectoryServiceSuiteOptions,
  directoryServiceSuite,
} from "./directory-service-suite.js";
export { expectAbsent, expectSameBytes, readAll } from "./expectations.js";
export {
  type Fault,
  type FaultChooser,
  Faults,
  FaultyBlobService,
  faultyDirectories,
} from "./faulty-services.js";
export {
  BLOB_B,
  BLOB_FIXTURES,
  type BlobFixture,
  CLOSURE_FIXTURES,
  DIRECTORY_FIXTURES,
  type DirectoryFixture,
  directoryFixture,
  EMPTY_DIGEST,
  NODE_FIXTURES,
  type NodeFixture,
} from "./fixtures.js";
export { ManualClock } from "./manual-clock.js";
export { rawBytesField, rawTag, rawVarint, rawVarintField } from "./raw-protobuf.js";
export { SeededRandom, seededBytes } from "./seeded-random.js";
export { collect, piecesOf, reusedPiecesOf, type SourceEnd, WatchedSource } from "./sources.js";
