import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Harness } from "../../test/harness.js";
import type { RequestEnd } from "./hooks.js";

const STAT = "/tvix.castore.v1.BlobService/Stat";
const JSON_TYPE = { "content-type": "application/json" };

let harness: Harness;
let ended: Promise<RequestEnd>;

beforeEach(async () => {
  let onEnd: (end: RequestEnd) => void = () => {};
  ended = new Promise((resolve) => {
    onEnd = resolve;
  });
  harness = await Harness.open({ observer: { onRequest: () => onEnd } });
});

afterEach(() => harness.close());

describe("createHttpSurface()", () => {
  it.each<[string, RequestInit, number, Code | 0]>([
    ["a call", { method: "POST", headers: JSON_TYPE, body: "{}" }, 200, 0],
    [
      "a body that cannot be read",
      { method: "POST", headers: JSON_TYPE, body: "{bad" },
      400,
      Code.InvalidArgument,
    ],
    [
      "a body of another type",
      { method: "POST", headers: { "content-type": "text/plain" }, body: "{}" },
      415,
      Code.Unimplemented,
    ],
    ["another method than POST", { method: "DELETE" }, 405, Code.Unimplemented],
  ])("tells how it went: %s", async (_, init, httpStatus, code) => {
    const response = await fetch(harness.url + STAT, init);
    await response.arrayBuffer();
    expect(response.status).toBe(httpStatus);
    expect(await ended).toMatchObject({ httpStatus, code });
  });
});
