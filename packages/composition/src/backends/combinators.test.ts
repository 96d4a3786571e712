import { putBytes, toUtf8 } from "@tvix/castore";
import { describe, expect, it } from "vitest";
import { parseComposition } from "../document/parse-composition.js";
import { openComposition } from "../open/open-composition.js";
import { StoreResources } from "../open/store-resources.js";
import { planComposition } from "../plan/plan-composition.js";
import { TABLE_OF_KIND } from "../service-kind.js";
import { defaultRegistry } from "./default-registry.js";

const REGISTRY = defaultRegistry();

/** A composition whose services of one kind are as it says, over two in memory. */
async function openKind(kind: keyof typeof TABLE_OF_KIND, root: string) {
  const tables = Object.entries(TABLE_OF_KIND).map(([other, table]) =>
    other === kind
      ? `[${table}.root]\n${root}\n[${table}.a]\ntype = "memory"\n[${table}.b]\ntype = "memory"`
      : `[${table}.root]\ntype = "memory"`,
  );
  const document = parseComposition(tables.join("\n"), "/etc/store.toml", REGISTRY);
  return await openComposition(planComposition(document, REGISTRY), {
    resources: new StoreResources(),
  });
}

describe("defaultRegistry()", () => {
  it.each([
    `type = "fallback"\nstores = ["&a", "b"]\ntimeout = "5s"\nfailures = 2\nretry_after = "1s"`,
    `type = "priority"\nservices = { "&b" = 2, "&a" = 1 }`,
    `type = "race"\nstores = ["&a", "b"]`,
    `type = "verified"\ninner = "a"`,
    `type = "limit"\ninner = "a"\nmax_calls = 3\nmax_bytes_in_flight = "1MiB"`,
  ])("makes blobs of %j", async (root) => {
    await using store = await openKind("blobs", root);
    const digest = await putBytes(store.blobs, toUtf8("hello"));
    expect(await store.blobs.has(digest)).toBe(true);
  });
});
