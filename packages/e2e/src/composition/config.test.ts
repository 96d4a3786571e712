import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Sandbox } from "../cli/tvix.js";

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await Sandbox.create();
});
afterAll(() => sandbox?.remove());

const OTHERS = `
[directoryservices.root]
type = "memory"
[pathinfoservices.root]
type = "memory"
`;

describe("tvix config check", () => {
  it.each([
    ["what is no TOML", "[blobservices", ["stores.toml:1:2: not TOML: "]],
    [
      "an unknown table",
      "[blobservice.root]\n",
      ['stores.toml:1: "blobservice" is no table of a composition'],
    ],
    [
      "an unknown type",
      `[blobservices.root]\ntype = "chache"\n${OTHERS}`,
      [
        'stores.toml:2: [blobservices.root] type "chache" is no type of a blob service: did you mean cache?',
      ],
    ],
    [
      "an unknown key",
      `[blobservices.root]\ntype = "grpc"\nurl = "grpc+http://h:1"\nport = 1\n${OTHERS}`,
      ["stores.toml:4: [blobservices.root] port is no key here"],
    ],
    [
      "a missing key and a wrong value",
      `[blobservices.root]\ntype = "cache"\nnear = "memory:"\nmisses_for = 5\n${OTHERS}`,
      [
        "stores.toml:1: [blobservices.root] far is missing",
        "stores.toml:4: [blobservices.root] misses_for must be a time",
      ],
    ],
    [
      "a dangling name",
      `[blobservices.root]\ntype = "cache"\nnear = "memory:"\nfar = "&fra"\n[blobservices.far]\ntype = "memory"\n${OTHERS}`,
      [
        'stores.toml:4: [blobservices.root] far names a blob service that is not there, "fra": did you mean far?',
      ],
    ],
    [
      "a circle",
      `[blobservices.root]\ntype = "verified"\ninner = "b"\n[blobservices.b]\ntype = "verified"\ninner = "root"\n${OTHERS}`,
      [
        "stores.toml:6: [blobservices.b] inner leads in a circle: blobservices.root -> blobservices.b -> blobservices.root",
      ],
    ],
    [
      "a password in an address",
      `[blobservices.root]\ntype = "verified"\ninner = "grpc+http://me:hush@h:1"\n${OTHERS}`,
      [
        'stores.toml:3: [blobservices.root] inner: "grpc+http://***@h:1": a user name or password has no place',
      ],
    ],
    [
      "no entry point",
      `[blobservices.near]\ntype = "memory"\n${OTHERS}`,
      ["stores.toml: there is no [blobservices.root], the blob service to be used"],
    ],
    [
      "an upstream that nobody is believed of",
      `[[upstreams]]\nurl = "https://cache.example.org"\n`,
      ["stores.toml:1: [upstreams[0]] needs either trusted_public_keys or accept_unsigned"],
    ],
    [
      "both forms",
      `[store]\naddress = "memory:"\n[blobservices.root]\ntype = "memory"\n`,
      ["stores.toml:1: [store] is of the short form, which cannot stand beside [blobservices.*]"],
    ],
  ])("refuses %s", async (_, toml, problems) => {
    writeFileSync(sandbox.path("stores.toml"), toml);
    const { status, stdout } = await sandbox.run(["config", "check", "stores.toml"]);
    expect(status).toBe(2);
    const lines = stdout.toString().trimEnd().split("\n");
    expect(lines).toEqual(problems.map((problem) => expect.stringContaining(problem)));
    expect(stdout.toString()).not.toContain("hush");
    const used = await sandbox.run(["info", "--composition", "stores.toml"]);
    expect(used).toMatchObject({ status: 2, stderr: expect.stringContaining("stores.toml") });
  });

  it("takes what can be used, by the name of tvix, too", async () => {
    writeFileSync(
      sandbox.path("stores.toml"),
      `[blobservices.default]\ntype = "memory"\n${OTHERS}`,
    );
    expect(await sandbox.run(["config", "check", "stores.toml"])).toMatchObject({
      status: 0,
      stderr: "stores.toml can be used: it has 3 services\n",
    });
    const args = ["config", "print", "--experimental-store-composition", "stores.toml"];
    expect(await sandbox.text(args)).toContain("[blobservices.default]");
  });

  it("takes what its help shows", async () => {
    const help = await sandbox.text(["config", "check", "--help"]);
    const [short = [], full = []] = help
      .split(/^The (?:short|full) form/m)
      .slice(1)
      .map((form) => form.split("\n").filter((line) => /^ {2}(?:\[|[a-z]+ = )/.test(line)));
    const services = ["blobservices", "directoryservices", "pathinfoservices"];
    const forms = [
      short,
      services.flatMap((kind) => full.map((line) => line.replace("blobservices", kind))),
    ];
    for (const form of forms) {
      expect(form.length).toBeGreaterThan(5);
      writeFileSync(sandbox.path("stores.toml"), form.join("\n"));
      expect(await sandbox.run(["config", "check", "stores.toml"])).toMatchObject({ status: 0 });
    }
  });

  it("says that a file is not there", async () => {
    expect(await sandbox.run(["config", "check", "nowhere.toml"])).toMatchObject({
      status: 3,
      stderr: "tvix: cannot read nowhere.toml: no such file or directory\n",
    });
  });
});

describe("a relative path in --store", () => {
  const store = "grpc+http://127.0.0.1:1?token_file=nosuch";

  it("begins where the command was started", async () => {
    const printed = await sandbox.text(["config", "print", "--store", store]);
    expect(printed).toContain(`token_file = "${sandbox.path("nosuch")}"`);
  });

  it("that leads to nothing ends as one on the command line", async () => {
    const path = "/nix/store/85z95a9c4c7xm6kyspibgnm8071yj42k-x";
    expect(await sandbox.run(["ls", "--store", store, path])).toMatchObject({
      status: 3,
      stderr: `tvix: cannot use the composition: blobservices.root: cannot read ${sandbox.path("nosuch")}: no such file or directory\n`,
    });
  });
});
