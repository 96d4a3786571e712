import { CompositionError } from "@tvix/composition";
import type { Host, Invocation } from "../command.js";
import { EXIT, UsageError } from "../exit.js";
import { planOfFile } from "../store/composition-plan.js";

/** Does what `tvix config check` promises. */
export async function checkConfig(invocation: Invocation, host: Host): Promise<number> {
  const [file = ""] = invocation.arguments;
  try {
    const plan = await planOfFile(file);
    if (!invocation.options.has("quiet")) {
      host.stderr.line(`${file} can be used: it has ${plan.named.length} services`);
    }
    return EXIT.ok;
  } catch (error) {
    const cause = error instanceof UsageError ? error.cause : undefined;
    if (!(cause instanceof CompositionError)) throw error;
    for (const problem of cause.problems) await host.stdout.line(problem);
    return EXIT.usage;
  }
}
