import { afterEach, beforeEach, describe } from "vitest";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { directoryPutMultipleTests } from "./directory-put-multiple-tests.js";
import { directoryRecursiveTests } from "./directory-recursive-tests.js";
import { directorySingleTests } from "./directory-single-tests.js";

/** One fresh, empty service for one test. */
export interface DirectoryServiceHarness {
  readonly service: DirectoryService;
  /** Closes the service and opens one over the same data: for services whose data outlive them. */
  reopen?(): Promise<DirectoryService>;
  /** Frees everything, also what `reopen` opened. */
  close?(): Promise<void>;
}

/** What the implementation can do. */
export interface DirectoryServiceSuiteOptions {
  /** Whether `put` refuses a Directory whose children are not stored; true by default. */
  readonly checksChildren?: boolean;
}

/** The service of the test that runs. */
export interface DirectoryServiceUnderTest {
  readonly service: () => DirectoryService;
  readonly harness: () => DirectoryServiceHarness;
  readonly options: DirectoryServiceSuiteOptions;
}

/**
 * Defines the tests that every {@link DirectoryService} must pass.
 *
 * @param open - called before every test
 */
export function directoryServiceSuite(
  name: string,
  open: () => Promise<DirectoryServiceHarness>,
  options: DirectoryServiceSuiteOptions = {},
): void {
  describe(`DirectoryService conformance: ${name}`, () => {
    let harness: DirectoryServiceHarness;
    beforeEach(async () => {
      harness = await open();
    });
    afterEach(async () => {
      await harness.close?.();
    });
    const test = { service: () => harness.service, harness: () => harness, options };
    directorySingleTests(test);
    directoryPutMultipleTests(test);
    directoryRecursiveTests(test);
  });
}
