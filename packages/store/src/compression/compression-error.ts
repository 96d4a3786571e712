import { StoreError } from "../errors.js";

/**
 * Compressed bytes that cannot be decompressed ("INVALID_ARGUMENT"), or a compression that this machine
 * cannot do ("UNSUPPORTED").
 */
export class CompressionError extends StoreError {
  override readonly name: string = "CompressionError";

  static of(what: string, cause: unknown): CompressionError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new CompressionError("INVALID_ARGUMENT", `Cannot read ${what}: ${why}`, { cause });
  }
}
