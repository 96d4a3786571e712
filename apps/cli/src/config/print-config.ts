import { printComposition } from "@tvix/composition";
import type { Host, Invocation } from "../command.js";
import { EXIT } from "../exit.js";
import { planOf } from "../store/composition-plan.js";
import { storePlace } from "../store/place.js";

/** Does what `tvix config print` promises. */
export async function printConfig({ options }: Invocation, host: Host): Promise<number> {
  const place = storePlace(options, host);
  const plan = await planOf(
    place.kind === "composition"
      ? place
      : { kind: "composition", source: { services: {}, rest: place }, dataDirectory: "/" },
  );
  await host.stdout.line(printComposition(plan).trimEnd());
  return EXIT.ok;
}
