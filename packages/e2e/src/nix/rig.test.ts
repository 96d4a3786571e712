import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nixMissing } from "../cli/nix.js";
import { NixRig } from "./nix-rig.js";
import { BUILD_LOG, makeSampleClosure, type SampleClosure } from "./sample-closure.js";

describe.skipIf(nixMissing !== undefined)("the closure of these tests", () => {
  let rig: NixRig;
  let sample: SampleClosure;

  beforeAll(async () => {
    rig = await NixRig.create();
    sample = await makeSampleClosure(rig);
  });

  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  });

  it("has a path of every kind", async () => {
    const { store, app, libfoo, textA, textB, fixed, src } = sample;
    expect(sample.all).toEqual([app, libfoo, textA, textB, fixed, src].sort());
    expect(await store.info(app)).toMatchObject({ references: [app, libfoo, fixed, src].sort() });
    expect(await store.info(libfoo)).toMatchObject({ references: [libfoo, textB].sort() });
    expect(await store.info(textB)).toMatchObject({
      references: [textA],
      ca: expect.stringMatching(/^text:sha256:/),
    });
    expect(await store.info(fixed)).toMatchObject({ ca: expect.stringMatching(/^fixed:sha256:/) });
    expect(await store.info(src)).toMatchObject({ ca: expect.stringMatching(/^fixed:r:sha256:/) });
  });

  it("has the log of a build", async () => {
    expect(await sample.store.text("nix", ["log", sample.libfooDrv])).toBe(BUILD_LOG.trimEnd());
  });
});
