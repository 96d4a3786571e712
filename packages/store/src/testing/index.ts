/** Conformance suites and golden values; needs vitest. */

export { NAR_FIXTURES, type NarFixture, SYMLINK_FIXTURE, SYMLINK_NODE } from "./nar-fixtures.js";
export {
  DUMMY_PATH_INFO,
  DUMMY_STORE_PATH,
  PATH_INFO_ENCODINGS,
  type PathInfoEncoding,
  SYMLINK_PATH_INFO,
} from "./path-info-fixtures.js";
export {
  type PathInfoServiceHarness,
  type PathInfoServiceSuiteOptions,
  pathInfoServiceSuite,
} from "./path-info-service-suite.js";
