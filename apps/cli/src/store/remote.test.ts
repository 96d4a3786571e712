import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { OpenStore } from "./open-store.js";
import { daemonSocket } from "./place.js";
import { openOwnDaemon } from "./remote.js";

let home = "";
const before = process.cwd();
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "tvix-remote-"));
});
afterAll(async () => {
  process.chdir(before);
  await rm(home, { recursive: true });
});

/** Opens the store `data` of a working directory, at whose socket somebody answers. */
async function openIn(workingDirectory: string): Promise<OpenStore | undefined> {
  await mkdir(join(home, workingDirectory, "data"), { recursive: true });
  process.chdir(join(home, workingDirectory));
  const server = createServer().listen(daemonSocket("data"));
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const env = { XDG_CACHE_HOME: join(home, "cache") };
  const store = await openOwnDaemon("data", { env, homeDirectory: "/nowhere", isRoot: false });
  onTestFinished(() => store?.close());
  return store;
}

describe("openOwnDaemon()", () => {
  it("remembers for each directory of its own, named from wherever", async () => {
    const [key, value] = [new Uint8Array(32), Uint8Array.of(1)];
    for (const workingDirectory of ["first", "second"]) {
      const store = await openIn(workingDirectory);
      expect(store?.place).toBe("data");
      expect(await store?.statCache.get(key)).toBeUndefined();
      await store?.statCache.put(key, value);
    }
    expect(await readdir(join(home, "cache", "tvix"))).toHaveLength(2);
  });
});
