import type { RecoveryEvent } from "@tvix/castore/local";
import { describe, expect, it } from "vitest";
import { recoveryNote } from "./recovery-note.js";

function event(type: RecoveryEvent["type"], bytes: number, records = 0): RecoveryEvent {
  return { type, pack: 1, offset: 0, bytes, records };
}

describe("recoveryNote()", () => {
  it.each([
    ["nothing was looked at", undefined],
    ["all was well", { indexRebuilt: false, events: [] }],
  ])("is nothing when %s", (_, report) => {
    expect(recoveryNote(report)).toBeUndefined();
  });

  it.each([
    [
      "a torn tail",
      { indexRebuilt: false, events: [event("tail-cut", 1500)] },
      "1.50 kB of an interrupted write removed",
    ],
    [
      "records without index",
      { indexRebuilt: false, events: [event("tail-indexed", 10, 3)] },
      "3 objects recovered",
    ],
    [
      "a lost index",
      { indexRebuilt: true, events: [event("tail-indexed", 10, 3)] },
      "its index was damaged and has been rebuilt from the packs",
    ],
    [
      "damage",
      { indexRebuilt: false, events: [event("damaged", 10)] },
      "it is damaged, see tvix check",
    ],
  ])("tells of %s", (_, report, text) => {
    expect(recoveryNote(report)).toBe(`the store was put in order: ${text}`);
  });
});
