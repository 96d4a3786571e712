import { describe, expect, it } from "vitest";
import { Options } from "../args/options.js";
import { storePlace } from "./place.js";

function placeOf(options: Record<string, string>, env: Record<string, string> = {}) {
  const given = new Map<string, string | true>(Object.entries(options));
  return storePlace(new Options(["store", "data-dir"], given), {
    env,
    homeDirectory: "/home/me",
    isRoot: false,
  });
}

const OWN = "/home/me/.local/share/tvix";

describe("storePlace()", () => {
  it.each([
    ["nothing", {}, {}, { kind: "directory", directory: OWN, alone: false }],
    [
      "--data-dir",
      { "data-dir": "/d" },
      { TVIX_STORE: "local:" },
      { kind: "directory", directory: "/d", alone: false },
    ],
    [
      "TVIX_DATA_DIR",
      {},
      { TVIX_DATA_DIR: "/e" },
      { kind: "directory", directory: "/e", alone: false },
    ],
    [
      "TVIX_STORE",
      {},
      { TVIX_STORE: "grpc+http://[::1]:8000", TVIX_DATA_DIR: "/e" },
      { kind: "daemon", address: "grpc+http://[::1]:8000" },
    ],
    [
      "--store with a socket",
      { store: "grpc+unix:///run/s" },
      {},
      { kind: "daemon", address: "grpc+unix:///run/s" },
    ],
    ["local:", { store: "local:" }, {}, { kind: "directory", directory: OWN, alone: true }],
    [
      "local:///PATH",
      { store: "local:///var/x" },
      {},
      { kind: "directory", directory: "/var/x", alone: true },
    ],
  ])("takes it from %s", (_, options, env, place) => {
    expect(placeOf(options, env)).toEqual(place);
  });

  it.each([
    [{ store: "local:", "data-dir": "/d" }, {}, /both name a store/],
    [{ store: "http://x" }, {}, /option --store needs an address such as .* it is "http:\/\/x"/],
    [{ store: "" }, {}, /option --store needs an address/],
    [{ store: "local://relative" }, {}, /needs an absolute path/],
    [{}, { TVIX_STORE: "somewhere" }, /TVIX_STORE needs an address/],
  ])("refuses %j with %j", (options, env, message) => {
    expect(() => placeOf(options, env)).toThrow(message);
  });
});
