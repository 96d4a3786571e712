import { defaultRegistry } from "../backends/default-registry.js";
import { count, defaulted, optional, secret, service, text } from "../fields/fields.js";
import type { OpenContext } from "../registry/backend.js";
import type { BackendRegistry } from "../registry/backend-registry.js";
import type { ServiceKind } from "../service-kind.js";

/** The registry of tvix with a backend of somebody's own: `pair`, which shows the service `near`. */
export function pairRegistry(events: string[] = []): BackendRegistry {
  const registry = defaultRegistry();
  const fields = <K extends ServiceKind>(kind: K) => ({
    near: service(kind),
    far: optional(service(kind)),
    size: defaulted(count(1, 9), "1"),
    password: optional(secret(text())),
  });
  const note = ({ label, onClose }: OpenContext): void => {
    events.push(`open ${label}`);
    onClose(() => void events.push(`close ${label}`));
  };
  const names = { types: ["pair"], schemes: ["pair"] } as const;
  registry.register("blobs", {
    ...names,
    types: ["pair"],
    fields: fields("blobs"),
    rule: ({ size, far }) => (size === 9 && far === undefined ? "needs far for size 9" : undefined),
    open: async ({ near }, context) => {
      note(context);
      return { service: (await context.open(near)).service };
    },
  });
  registry.register("directories", {
    ...names,
    types: ["pair"],
    fields: fields("directories"),
    open: async ({ near }, context) => {
      note(context);
      return { service: (await context.open(near)).service };
    },
  });
  registry.register("pathInfos", {
    ...names,
    types: ["pair"],
    fields: fields("pathInfos"),
    open: async ({ near }, context) => {
      note(context);
      return { service: (await context.open(near)).service };
    },
  });
  return registry;
}
