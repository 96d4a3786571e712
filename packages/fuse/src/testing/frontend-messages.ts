/** What a front-end says. */

/** A message, but for its files. */
export interface FrontendMessage {
  readonly request: number;
  readonly payload: Uint8Array;
}

/** A region as a front-end describes it. */
export interface FrontendRegion {
  readonly guestAddress: number | bigint;
  readonly size: number | bigint;
  readonly userAddress: bigint;
  readonly fileOffset: number | bigint;
}

/** A request without anything. */
export function plain(request: number): FrontendMessage {
  return { request, payload: new Uint8Array(0) };
}

/** A request with a number: features, or a queue with a file. */
export function number(request: number, value: number | bigint): FrontendMessage {
  return { request, payload: words([BigInt(value)]) };
}

/** A request with a queue and a number. */
export function state(request: number, queue: number, value: number): FrontendMessage {
  const payload = new Uint8Array(8);
  const view = new DataView(payload.buffer);
  view.setUint32(0, queue, true);
  view.setUint32(4, value, true);
  return { request, payload };
}

/** SET_VRING_ADDR, without a log. */
export function addresses(
  queue: number,
  parts: { readonly descriptors: bigint; readonly used: bigint; readonly available: bigint },
  flags = 0,
): FrontendMessage {
  const { descriptors, used, available } = parts;
  const first = BigInt(queue) | (BigInt(flags) << 32n);
  return { request: 9, payload: words([first, descriptors, used, available, 0n]) };
}

/** SET_MEM_TABLE. */
export function memoryTable(regions: readonly FrontendRegion[]): FrontendMessage {
  return { request: 5, payload: words([BigInt(regions.length), ...regions.flatMap(regionWords)]) };
}

/** ADD_MEM_REG or REM_MEM_REG. */
export function memorySlot(request: number, region: FrontendRegion): FrontendMessage {
  return { request, payload: words([0n, ...regionWords(region)]) };
}

function regionWords(region: FrontendRegion): bigint[] {
  const { guestAddress, size, userAddress, fileOffset } = region;
  return [BigInt(guestAddress), BigInt(size), userAddress, BigInt(fileOffset)];
}

function words(values: readonly bigint[]): Uint8Array {
  const payload = new Uint8Array(8 * values.length);
  const view = new DataView(payload.buffer);
  for (const [i, value] of values.entries())
    view.setBigUint64(8 * i, BigInt.asUintN(64, value), true);
  return payload;
}
