/** What follows the header of a request, extensions left out: `bytes` from `start` to `end`. */
export interface RequestBody {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Bytes of a body. */
export function bodySize(body: RequestBody): number {
  return body.end - body.start;
}
