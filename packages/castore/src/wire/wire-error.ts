/** What is wrong with an encoding; each codec makes its own error type of it. */
export type WireErrorReason = "malformed" | "not-canonical" | "invalid-name" | "invalid-node";

/**
 * Raised while reading an encoding, turned into the error of the format by its codec.
 *
 * @internal
 */
export class WireError extends Error {
  override readonly name: string = "WireError";
  readonly reason: WireErrorReason;

  constructor(reason: WireErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
