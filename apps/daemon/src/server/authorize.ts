import { Code, ConnectError } from "@connectrpc/connect";
import type { Authorize } from "@tvix/grpc";
import type { Gatekeeper } from "../auth/gatekeeper.js";

/** Asks the gatekeeper about every request of every surface. */
export function authorizeBy(gatekeeper: Gatekeeper): Authorize {
  return ({ method, path, headers, peer }) => {
    const decision = gatekeeper.decide({
      method,
      path,
      authorization: headers.authorization,
      isLocalSocket: peer.transport === "unix",
    });
    if (decision.allowed) return;
    const code = decision.reason === "forbidden" ? Code.PermissionDenied : Code.Unauthenticated;
    throw new ConnectError(decision.message, code);
  };
}
