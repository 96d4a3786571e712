import { describe, expect, it } from "vitest";
import { Options } from "../args/options.js";
import { GLOBAL_OPTIONS } from "../global-options.js";
import { storePlace } from "./place.js";

function placeOf(options: Record<string, string>, env: Record<string, string> = {}) {
  const given = new Map<string, string | true>(Object.entries(options));
  return storePlace(new Options(Object.keys(GLOBAL_OPTIONS), given), {
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
    [
      "local: with escapes",
      { store: "local:/a%20b" },
      {},
      { kind: "directory", directory: "/a b", alone: true },
    ],
  ])("takes it from %s", (_, options, env, place) => {
    expect(placeOf(options, env)).toEqual(place);
  });

  it.each([
    [{ store: "local:", "data-dir": "/d" }, {}, /both name a store/],
    [{ store: "http://x" }, {}, /option --store needs an address such as .* it is "http:\/\/x"/],
    [{ store: "" }, {}, /option --store needs an address/],
    [{ store: "local://relative" }, {}, /needs an absolute path/],
    [{ store: "local:///a%" }, {}, /percent sign/],
    [{ store: "local:", composition: "f" }, {}, /both name a store/],
    [{ composition: "" }, {}, /--composition needs a file/],
    [{}, { TVIX_STORE: "somewhere" }, /TVIX_STORE needs an address/],
  ])("refuses %j with %j", (options, env, message) => {
    expect(() => placeOf(options, env)).toThrow(message);
  });

  const own = { kind: "directory", directory: OWN, alone: false };
  const blobs = { address: "memory:", origin: "BLOB_SERVICE_ADDR" };

  it.each([
    [
      "--composition",
      { composition: "/c.toml" },
      { TVIX_STORE: "local:" },
      { file: "/c.toml", origin: "option --composition" },
    ],
    [
      "TVIX_COMPOSITION",
      {},
      { TVIX_COMPOSITION: "/c.toml", BLOB_SERVICE_ADDR: "memory:" },
      { file: "/c.toml", origin: "TVIX_COMPOSITION" },
    ],
    [
      "EXPERIMENTAL_STORE_COMPOSITION",
      {},
      { EXPERIMENTAL_STORE_COMPOSITION: "/c.toml", TVIX_STORE: "local:" },
      { file: "/c.toml", origin: "EXPERIMENTAL_STORE_COMPOSITION" },
    ],
    [
      "--store with a cache",
      { store: "cache:?near=memory:" },
      {},
      { store: { address: "cache:?near=memory:", origin: "option --store" } },
    ],
    [
      "--store with a token file",
      { store: "grpc+http://h:1?token_file=/t" },
      {},
      { store: { address: "grpc+http://h:1?token_file=/t", origin: "option --store" } },
    ],
    [
      "TVIX_STORE with a cache",
      {},
      { TVIX_STORE: "memory:" },
      { store: { address: "memory:", origin: "TVIX_STORE" } },
    ],
    ["BLOB_SERVICE_ADDR", {}, { BLOB_SERVICE_ADDR: "memory:" }, { services: { blobs }, rest: own }],
    [
      "options over the environment, with the others of it",
      { "path-info-service-addr": "x:" },
      { BLOB_SERVICE_ADDR: "memory:", PATH_INFO_SERVICE_ADDR: "y:", TVIX_STORE: "grpc+http://h:1" },
      {
        services: {
          blobs,
          pathInfos: { address: "x:", origin: "option --path-info-service-addr" },
        },
        rest: { kind: "daemon", address: "grpc+http://h:1" },
      },
    ],
    [
      "--store, and an address of one service",
      { store: "local:///d", "directory-service-addr": "x:" },
      { BLOB_SERVICE_ADDR: "memory:" },
      {
        services: { directories: { address: "x:", origin: "option --directory-service-addr" } },
        rest: { kind: "directory", directory: "/d", alone: true },
      },
    ],
  ])("puts it together by %s", (_, options, env, source) => {
    expect(placeOf(options, env)).toEqual({ kind: "composition", source, dataDirectory: OWN });
  });

  it("takes --data-dir before any variable", () => {
    const env = { BLOB_SERVICE_ADDR: "memory:", TVIX_COMPOSITION: "/c.toml", TVIX_STORE: "local:" };
    expect(placeOf({ "data-dir": "/d" }, env)).toEqual({ ...own, directory: "/d" });
  });

  it("means --data-dir by local: in a composition", () => {
    expect(placeOf({ "data-dir": "/d", composition: "/c" })).toMatchObject({ dataDirectory: "/d" });
  });
});
