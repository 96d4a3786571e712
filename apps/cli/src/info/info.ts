import type { Host, Invocation } from "../command.js";
import { EXIT } from "../exit.js";
import { toJson } from "../io/output.js";
import { withStore } from "../store/open.js";
import type { OpenStore } from "../store/open-store.js";
import { resolve } from "../target/resolve.js";
import { parseTarget, type Target } from "../target/target.js";
import { describeStore, storeJson } from "./store-info.js";
import { targetJson, targetRows } from "./target-info.js";

/** Does what `tvix info` promises. */
export async function info(invocation: Invocation, host: Host): Promise<number> {
  const [text, inner] = invocation.arguments;
  const target = text === undefined ? undefined : parseTarget(text, inner);
  const { json, rows } = await withStore(invocation, host, async (store) =>
    target === undefined ? await aboutStore(store, host) : await aboutTarget(store, target, host),
  );
  if (invocation.options.has("json")) await host.stdout.line(toJson(json, 2));
  else for (const line of alignRows(rows)) await host.stdout.line(line);
  return EXIT.ok;
}

/** The same facts for programs and for people. */
interface Answer {
  readonly json: Record<string, unknown>;
  readonly rows: readonly Row[];
}

/** A fact: what it is about, and what it is. */
export type Row = readonly [label: string, value: string];

async function aboutStore(store: OpenStore, { signal }: Host): Promise<Answer> {
  const figures = await store.maintenance.describe({ signal, narBytes: true });
  return { json: storeJson(figures), rows: describeStore(figures) };
}

async function aboutTarget(store: OpenStore, target: Target, { signal }: Host): Promise<Answer> {
  const resolved = await resolve(store, target, { signal });
  return { json: targetJson(resolved, target.path), rows: targetRows(resolved, target.path) };
}

function alignRows(rows: readonly Row[]): readonly string[] {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${label.padEnd(width)}  ${value}`);
}
