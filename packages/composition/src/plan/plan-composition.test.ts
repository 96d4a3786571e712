import { describe, expect, it } from "vitest";
import { CompositionError } from "../composition-error.js";
import { composeAddresses } from "../document/compose-addresses.js";
import { parseComposition } from "../document/parse-composition.js";
import { printComposition } from "../print/print-composition.js";
import { pairRegistry } from "../testing/pair-registry.js";
import { planComposition } from "./plan-composition.js";

const REGISTRY = pairRegistry();
const FILE = "/etc/tvix/store.toml";

const OTHERS = `
[directoryservices.root]
type = "memory"
[pathinfoservices.root]
type = "memory"
`;

const KEY = "cache.example.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

function planOf(toml: string) {
  return planComposition(parseComposition(toml, FILE, REGISTRY), REGISTRY, (typed, known) =>
    [...known].find((name) => name.startsWith(typed.slice(0, 3))),
  );
}

function problemsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof CompositionError && error.reason === "invalid") return error.problems;
    throw error;
  }
  return [];
}

function planAddress(address: string) {
  const written = { address, place: "option --store" };
  const document = composeAddresses(
    { blobs: written, directories: written, pathInfos: written },
    "/base",
  );
  return planComposition(document, REGISTRY);
}

describe("planComposition() of a file", () => {
  it.each([
    [
      "names",
      `[blobservices.root]\ntype = "pair"\nnear = "a"\nfar = "&a"\n[blobservices.a]\ntype = "memory"`,
    ],
    ["addresses", `[blobservices.root]\ntype = "pair"\nnear = "memory:"\nfar = "grpc+unix:/run/x"`],
    ["the entry point by its other name", `[blobservices.default]\ntype = "memory"`],
    [
      "quoted names",
      `[blobservices.root]\ntype="pair"\nnear="a b"\n[blobservices."a b"]\ntype="memory"`,
    ],
  ])("takes %s", (_, toml) => {
    expect(planOf(toml + OTHERS).blobs.name).toMatch(/^(root|default)$/);
  });

  it.each([
    ["no TOML", "[", ["store.toml:1:", "not TOML"]],
    ["nothing", "", ["there is no [blobservices.root]"]],
    [
      "an unknown table",
      `[stores.root]\ntype = "memory"`,
      ["store.toml:1", '"stores" is no table'],
    ],
    [
      "an unknown type",
      `[blobservices.root]\ntype = "mem"`,
      ["store.toml:2: [blobservices.root] type", "did you mean memory?"],
    ],
    [
      "a missing type",
      `[blobservices.root]\nnear = "x"`,
      ["store.toml:1: [blobservices.root] type is missing"],
    ],
    [
      "a type that is no text",
      `[blobservices.root]\ntype = 1`,
      ["store.toml:2", "type must be text"],
    ],
    [
      "a service that is no table",
      `blobservices.root = 1`,
      ["[blobservices.root] must be a table"],
    ],
    [
      "an unknown key",
      `[blobservices.root]\ntype = "pair"\nnear = "memory:"\nneer = 1`,
      ["store.toml:4: [blobservices.root] neer", "is no key here"],
    ],
    [
      "a missing key",
      `[blobservices.root]\ntype = "pair"`,
      ["store.toml:1: [blobservices.root] near is missing"],
    ],
    [
      "a wrong value",
      `[blobservices.root]\ntype = "pair"\nnear = "memory:"\nsize = 10`,
      ["store.toml:4: [blobservices.root] size must be a whole number"],
    ],
    [
      "a broken rule",
      `[blobservices.root]\ntype = "pair"\nnear = "memory:"\nsize = 9`,
      ["[blobservices.root] needs far"],
    ],
    [
      "a secret that is wrong",
      `[blobservices.root]\ntype = "pair"\nnear = "memory:"\npassword = 4711`,
      ["password is not what it must be"],
    ],
    [
      "a dangling name",
      `[blobservices.root]\ntype = "pair"\nnear = "&nowhere"`,
      [
        "store.toml:3: [blobservices.root] near names a blob service that is not there",
        '"nowhere"',
      ],
    ],
    [
      "a name of another kind",
      `[blobservices.root]\ntype = "pair"\nnear = "&m"\n[directoryservices.m]\ntype = "memory"`,
      ["blob service that is not there"],
    ],
    [
      "a circle",
      `[blobservices.root]\ntype = "pair"\nnear = "a"\n[blobservices.a]\ntype = "pair"\nnear = "&root"`,
      [
        "store.toml:6: [blobservices.a] near leads in a circle: blobservices.root -> blobservices.a -> blobservices.root",
      ],
    ],
    [
      "a service of itself",
      `[blobservices.root]\ntype = "pair"\nnear = "root"`,
      ["circle: blobservices.root -> blobservices.root"],
    ],
    [
      "an address without a backend",
      `[blobservices.root]\ntype = "pair"\nnear = "s3://b"`,
      ['store.toml:3: [blobservices.root] near: "s3://b"', "no scheme of a blob service"],
    ],
    [
      "an address for other services",
      `[blobservices.root]\ntype = "pair"\nnear = "nix+https://c.example"`,
      ["though other services have it"],
    ],
    [
      "a broken service that nobody uses",
      `[blobservices.root]\ntype = "memory"\n[blobservices.x]\ntype = "memory"\ny = 1`,
      ["store.toml:5: [blobservices.x] y"],
    ],
  ])("refuses %s", (_, toml, words) => {
    const isWhole = toml.includes("root]") && !toml.startsWith("[stores");
    const problems = problemsOf(() => planOf(isWhole ? toml + OTHERS : toml)).join("\n");
    for (const word of words) expect(problems).toContain(word);
  });

  it("says everything that is wrong, once", () => {
    const toml = `[blobservices.root]\ntype = "pair"\nnear = "&a"\nx = 1\n[blobservices.a]\ntype = "pair"`;
    expect(problemsOf(() => planOf(toml + OTHERS))).toEqual(
      [
        expect.stringContaining("store.toml:5: [blobservices.a] near is missing"),
        expect.stringContaining("store.toml:4: [blobservices.root] x"),
      ].reverse(),
    );
  });
});

describe("planComposition() of addresses", () => {
  it.each([
    "memory:",
    "local:",
    "local:///var/lib/tvix",
    "grpc+http://localhost:8000",
    "grpc+https://[::1]:443?token_file=/run/token",
    "grpc+unix:///run/tvix.sock",
    "grpc+unix:/run/tvix.sock",
    "pair:?near=memory:",
    "pair:?near=grpc%2Bhttp%3A%2F%2Flocalhost%3A1&size=3",
    "pair:?near=pair%3A%3Fnear%3Dmemory%253A",
  ])("takes %s", (address) => {
    expect(planAddress(address).blobs.place).toBe("option --store");
  });

  it.each([
    ["file:///x", "no scheme of a blob service"],
    ["local://host/x", "has no host"],
    ["local:///x?y=1", "y is no key here"],
    ["memory:?x=1", "x is no key here: there are none"],
    ["memory://host", "nothing may stand"],
    ["grpc+http:localhost:1", "must look like grpc+http://HOST:PORT"],
    ["grpc+http://localhost", "port"],
    ["grpc+http://u:p@localhost:1", "no place in an address"],
    ["grpc+http://localhost:1/x", "path"],
    ["grpc+http://localhost:1?url=x", "before the question mark"],
    ["grpc+unix://run/x", "no host"],
    ["pair:", "near is missing"],
    ["pair:?near=", "near must be the name of a service"],
    ["pair:?near=&far=memory:", "near must be the name of a service"],
    ["pair:?near=nowhere", "is not there"],
    ["pair:?near=root", "circle"],
    ["pair:?near=grpc%2Bhttp%3A%2F%2Flocalhost", "port"],
  ])("refuses %s", (address, problem) => {
    const problems = problemsOf(() => planAddress(address));
    expect(problems.join("\n")).toContain(problem);
    expect(problems[0]).toMatch(/^option --store: /);
  });

  it.each([
    ["nix+https://c.example?accept_unsigned=true", undefined],
    [`nix+https://c.example/x?trusted-public-keys=${KEY}`, undefined],
    ["nix+https://c.example", "trusted_public_keys"],
    [`nix+https://c.example?accept-unsigned=1&trusted-public-keys=${KEY}`, "trusted_public_keys"],
    ["nix+https://c.example?trusted-public-keys=x", "must be public keys"],
    ["nix+https:c.example", "must look like"],
    ["nix+https://me:secret@c.example", "no place in an address"],
  ])("of a cache of Nix: %s", (address, problem) => {
    const memory = { address: "memory:", place: "default" };
    const pathInfos = { address, place: "option --path-info-service-addr" };
    const document = composeAddresses({ blobs: memory, directories: memory, pathInfos }, "/base");
    const problems = problemsOf(() => planComposition(document, REGISTRY));
    if (problem === undefined) expect(problems).toEqual([]);
    else expect(problems.join("\n")).toContain(problem);
  });
});

describe("planComposition() of the short form", () => {
  it.each([
    [
      "a key that is not there",
      `[store]\naddress = "memory:"\nx = 1`,
      "store.toml:3: [store] x is no key here",
    ],
    ["no address", "[store]", "store.toml:1: [store] address is missing"],
    ["a bad address", `[store]\naddress = "x"`, 'store.toml:2: [store] address: "x"'],
    ["a cache of nothing", `[cache]\ndir = "x"`, "neither a [store] nor any [[upstreams]]"],
    [
      "a cache beside a store alone",
      `[store]\naddress = "memory:"\n[cache]\ndir = "x"`,
      "no [[upstreams]] whose content",
    ],
    ["upstreams that are no list", `[upstreams]\nurl = "x"`, "[[upstreams]]"],
    ["an upstream without a url", `[[upstreams]]\nkeys = ["x"]`, "[upstreams[0]] url is missing"],
    [
      "a bad url",
      `[[upstreams]]\nurl = "grpc+http://h"`,
      "store.toml:2: [upstreams[0]] url cannot be used: the port must be",
    ],
    [
      "nobody to believe",
      `[[upstreams]]\nurl = "https://c.example"`,
      "store.toml:1: [upstreams[0]] needs either trusted_public_keys",
    ],
    [
      "bad keys",
      `[[upstreams]]\nurl = "https://c.example"\nkeys = ["x"]`,
      "store.toml:3: [upstreams[0]] keys must be public keys",
    ],
    [
      "a token where it means nothing",
      `[[upstreams]]\nurl = "memory:"\ntoken-file = "x"`,
      "[upstreams[0]] token-file has no meaning",
    ],
    [
      "nobody to believe of a store that is put together",
      `[[upstreams]]\nurl = "pair:?near=memory:"`,
      "[upstreams[0]] needs either trusted_public_keys",
    ],
    [
      "both forms",
      `[store]\naddress = "memory:"\n[blobservices.root]\ntype = "memory"`,
      "cannot stand beside",
    ],
  ])("refuses %s", (_, toml, problem) => {
    expect(problemsOf(() => planOf(toml)).join("\n")).toContain(problem);
  });

  it("takes a store alone", () => {
    expect(planOf(`[store]\naddress = "local:///var/lib/tvix"`).pathInfos.values).toEqual({
      path: "/var/lib/tvix",
    });
  });
});

describe("printComposition()", () => {
  it("shows every service, where it comes from, and no secret", () => {
    const toml = `[blobservices.root]\ntype = "pair"\nnear = "a"\npassword = "hush"\n[blobservices.a]\ntype = "memory"`;
    const text = printComposition(planOf(toml + OTHERS));
    expect(text).not.toContain("hush");
    expect(text).toContain(
      `# ${FILE}:1: [blobservices.root]\n[blobservices.root]\ntype = "pair"\nnear = "a"\n# password is set`,
    );
    expect(printComposition(planOf(text.replaceAll(/^# .*$/gm, "")))).toContain("[blobservices.a]");
  });

  it("shows addresses as tables", () => {
    const text = printComposition(planAddress("pair:?near=memory:"));
    expect(text).toContain(
      `# option --store\n[directoryservices.root]\ntype = "pair"\nnear = "memory:"\n`,
    );
  });
});
