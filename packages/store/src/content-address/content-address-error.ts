import { StoreError } from "../errors.js";

/**
 * What is wrong with a claim: there is none; its kind cannot have these references; it leads to another
 * store path; content of its kind must be a plain file; or the content has another hash.
 */
export type ContentAddressErrorReason =
  | "absent"
  | "references"
  | "store-path"
  | "not-a-file"
  | "hash";

/** A store path that does not follow from its content. */
export class ContentAddressError extends StoreError {
  override readonly name: string = "ContentAddressError";
  readonly reason: ContentAddressErrorReason;

  constructor(reason: ContentAddressErrorReason, message: string, options?: ErrorOptions) {
    super("INVALID_ARGUMENT", `Cannot verify the content address of ${message}`, options);
    this.reason = reason;
  }
}
