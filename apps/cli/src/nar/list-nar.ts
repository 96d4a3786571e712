import {
  type CallOptions,
  concatBytes,
  MemoryBlobService,
  MemoryDirectoryService,
  toUtf8,
} from "@tvix/castore";
import { formatNarListing, ingestNar, type LaidOutStep, NarLayout, type Place } from "@tvix/store";
import type { Host, Invocation } from "../command.js";
import { EXIT } from "../exit.js";
import { displayName } from "../format/names.js";
import { modeText } from "../format/nodes.js";
import { DryRunBlobService } from "../import/dry-run.js";
import { withStore } from "../store/open.js";
import { resolve } from "../target/resolve.js";
import { looksLikeTarget, parseTarget } from "../target/target.js";
import { readNarInput } from "./nar-input.js";

/** Does what `tvix nar ls` promises. */
export async function listNar(invocation: Invocation, host: Host): Promise<number> {
  const [word = ""] = invocation.arguments;
  const options = { signal: host.signal };
  const layout = looksLikeTarget(word)
    ? await layoutInStore(word, invocation, host)
    : await layoutOfFile(word, options);
  if (invocation.options.has("json")) {
    await host.stdout.line(formatNarListing(layout));
    return EXIT.ok;
  }
  for (const step of layout.steps()) {
    if (step.step.type !== "end") await host.stdout.line(lineOf(step));
  }
  return EXIT.ok;
}

async function layoutInStore(word: string, invocation: Invocation, host: Host): Promise<NarLayout> {
  const { signal } = host;
  return await withStore(invocation, host, async (store) => {
    const { node } = await resolve(store, parseTarget(word), { signal });
    // All that is read from the store is read now.
    return await NarLayout.of(store, node, { signal });
  });
}

/** Reads a NAR to its end; its content is kept nowhere. */
async function layoutOfFile(word: string, options: CallOptions): Promise<NarLayout> {
  const counts = { newObjects: 0, newBytes: 0, knownObjects: 0, knownBytes: 0 };
  const blobs = new DryRunBlobService(new MemoryBlobService(), counts);
  const services = { blobs, directories: new MemoryDirectoryService() };
  const { root } = await ingestNar(services, readNarInput(word), options);
  return await NarLayout.of(services, root, options);
}

/** Permissions, size, where the content begins in the NAR, and the path below the root. */
function lineOf({ step, offset }: LaidOutStep): string {
  if (step.type === "end") return "";
  const [size, at] = step.type === "file" ? [step.node.size, offset] : ["-", "-"];
  const mode = step.type === "directory" ? DIRECTORY_MODE : modeText(step.node);
  const arrow = step.type === "symlink" ? ` -> ${displayName(step.node.target.toBytes())}` : "";
  const columns = [mode, String(size).padStart(14), String(at).padStart(14)];
  return `${columns.join(" ")} ${displayName(pathOf(step.place))}${arrow}`;
}

const DIRECTORY_MODE = "dr-xr-xr-x";

function pathOf(place: Place | undefined): Uint8Array {
  const names: Uint8Array[] = [];
  for (let at = place; at !== undefined; at = at.parent) names.push(at.name.toBytes(), SLASH);
  if (names.length === 0) return toUtf8(".");
  return concatBytes([toUtf8("."), ...names.reverse()]);
}

const SLASH = toUtf8("/");
