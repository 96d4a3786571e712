import type { status } from "@grpc/grpc-js";
import { MaintenanceService } from "@tvix/protos/maintenance";
import { expect } from "vitest";
import { warningsOf } from "./besiege.js";
import type { Daemon } from "./start-daemon.js";
import type { Stranger } from "./stranger.js";

/** Makes a call that must fail with that status and text, and of which nothing must be stored. */
export async function expectRefusal(
  daemon: Daemon,
  client: Stranger,
  call: () => Promise<unknown>,
  { code, says }: { readonly code: status; readonly says: RegExp },
): Promise<void> {
  const before = await recordCounts(client);
  await expect(call()).rejects.toMatchObject({ code, details: expect.stringMatching(says) });
  expect(await recordCounts(client)).toEqual(before);
  expect(warningsOf(daemon)).toEqual([]);
}

/** How many records of each kind there are. */
async function recordCounts(client: Stranger): Promise<unknown> {
  const { chunks, chunkedBlobs, directories, pathInfos } = await client.unary(
    MaintenanceService.method.describe,
    {},
  );
  return { chunks, chunkedBlobs, directories, pathInfos };
}
