import type { StoreMember } from "./guarded-store.js";

/**
 * The one of several stores that is written to where they are only read together: the first.
 *
 * @throws RangeError when there are none
 */
export function writableMember<S>(stores: readonly StoreMember<S>[]): S {
  const [first] = stores;
  if (first !== undefined) return first.service;
  throw new RangeError("Cannot combine stores: there are none");
}
