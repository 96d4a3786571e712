import { afterEach, beforeEach, describe } from "vitest";
import type { BlobService } from "../blobservice/blob-service.js";
import { blobChunkedTests } from "./blob-chunked-tests.js";
import { blobPutTests } from "./blob-put-tests.js";
import { blobReadTests } from "./blob-read-tests.js";
import { blobSliceTests } from "./blob-slice-tests.js";

/** One fresh, empty service for one test. */
export interface BlobServiceHarness {
  readonly service: BlobService;
  /** Closes the service and opens one over the same data: for services whose data outlive them. */
  reopen?(): Promise<BlobService>;
  /** Frees everything, also what `reopen` opened. */
  close?(): Promise<void>;
}

/** What the implementation can do. */
export interface BlobServiceSuiteOptions {
  /** Whether large blobs are cut, so that `chunks()` has pieces to tell of; false by default. */
  readonly chunking?: boolean;
  /** False where parts cannot be proved although there is a method for it; by default, the method tells. */
  readonly trees?: false;
}

/** The service of the test that runs. */
export interface BlobServiceUnderTest {
  readonly service: () => BlobService;
  readonly harness: () => BlobServiceHarness;
  readonly options: BlobServiceSuiteOptions;
}

/**
 * Defines the tests that every {@link BlobService} must pass.
 *
 * @param open - called before every test
 */
export function blobServiceSuite(
  name: string,
  open: () => Promise<BlobServiceHarness>,
  options: BlobServiceSuiteOptions = {},
): void {
  describe(`BlobService conformance: ${name}`, () => {
    let harness: BlobServiceHarness;
    beforeEach(async () => {
      harness = await open();
    });
    afterEach(async () => {
      await harness.close?.();
    });
    const test = { service: () => harness.service, harness: () => harness, options };
    blobPutTests(test);
    blobReadTests(test);
    blobChunkedTests(test);
    blobSliceTests(test);
  });
}
