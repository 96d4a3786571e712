import { FuseError } from "../errors.js";

/**
 * What the other side did:
 *
 * - `message`: a message of vhost-user that is malformed, comes at the wrong time, or asks for what was not offered;
 * - `memory`: an address or a length that is not in the memory of the guest, or memory that cannot be mapped;
 * - `ring`: indices of a ring that cannot be;
 * - `chain`: a chain of descriptors that is endless, out of order, nested, too long or empty.
 */
export type VirtiofsErrorReason = "message" | "memory" | "ring" | "chain";

/** A virtual machine broke the rules of virtio or vhost-user. Its code is "PROTOCOL". */
export class VirtiofsError extends FuseError {
  override readonly name: string = "VirtiofsError";
  readonly reason: VirtiofsErrorReason;

  constructor(reason: VirtiofsErrorReason, message: string, options?: ErrorOptions) {
    super("PROTOCOL", message, options);
    this.reason = reason;
  }
}
