import { stringify } from "smol-toml";
import { isTable, type Table } from "../document/toml-source.js";
import type { CompositionPlan, PlannedService } from "../plan/plan.js";
import { SERVICE_KINDS, TABLE_OF_KIND } from "../service-kind.js";

/**
 * A composition as tables that would make it, each with a comment that says where it comes from. Values of
 * secret fields are left out.
 */
export function printComposition(plan: CompositionPlan): string {
  const services = SERVICE_KINDS.flatMap((kind) => {
    const entry = plan[kind];
    const named = plan.named.filter((service) => service.kind === kind && service !== entry);
    return [entry, ...named].map(printService);
  });
  return services.join("\n");
}

function printService(service: PlannedService): string {
  const { kind, name, place, backend, values, settings } = service;
  const table = stringify({ [TABLE_OF_KIND[kind]]: { [name ?? "root"]: {} } }).trim();
  const lines = Object.entries(values).map(([key, written]) => {
    if (backend.fields[key]?.isSecret === true) return `# ${key} is set, and not shown`;
    // A path is shown as what it means: the output may be read in another directory.
    const value = typeof settings[key] === "string" ? settings[key] : written;
    return isTable(value) ? inlineTable(key, value) : stringify({ [key]: value }).trimEnd();
  });
  const type = stringify({ type: backend.type }).trimEnd();
  return `${[`# ${oneLine(place)}`, table, type, ...lines].join("\n")}\n`;
}

/** `key = { "a" = 1 }`: a table of its own would end the one that it stands in. */
function inlineTable(key: string, table: Table): string {
  const entries = Object.entries(table).map(
    ([name, value]) => `${JSON.stringify(name)} = ${JSON.stringify(value)}`,
  );
  return `${key} = { ${entries.join(", ")} }`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "?");
}
