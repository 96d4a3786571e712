import { describe, expect, it } from "vitest";
import { SigningKey } from "../signature/signing-key.js";
import { TrustedKeys } from "../signature/trusted-keys.js";
import { MemoryCache } from "../testing/memory-cache.js";
import { NIX_PUBLIC_KEY } from "../testing/nix-paths.js";
import { NIX_CLOSURE, type NixUpload, nixUpload } from "../testing/nix-uploads.js";
import type { BinaryCacheOptions } from "./cache-parts.js";

const [TEXT, REFERRER, OUTPUT] = NIX_CLOSURE as [NixUpload, NixUpload, NixUpload];
const SOURCE = nixUpload("NAR by SHA-256");
const TRUSTED = TrustedKeys.parse(NIX_PUBLIC_KEY);

/** A cache that has got the NARs of these. */
async function cacheWith(
  uploads: readonly NixUpload[],
  options: BinaryCacheOptions = {},
): Promise<MemoryCache> {
  const cache = new MemoryCache(options);
  for (const { narPath, nar } of uploads) await put(cache, narPath, nar);
  return cache;
}

async function put(cache: MemoryCache, path: string, body: Uint8Array | string): Promise<string> {
  const { status, text } = await cache.ask("PUT", path, { body });
  return text === "" ? String(status) : `${status} ${text.trimEnd()}`;
}

async function publish(cache: MemoryCache, { narinfoPath, narinfo }: NixUpload): Promise<string> {
  return put(cache, narinfoPath, narinfo);
}

async function isPublished(cache: MemoryCache, { narinfoPath }: NixUpload): Promise<boolean> {
  const { status } = await cache.ask("HEAD", narinfoPath);
  expect([200, 404]).toContain(status);
  return status === 200;
}

describe("PUT of a narinfo", () => {
  it.each([
    "NAR by SHA-256",
    "NAR by SHA-1",
    "file by SHA-256",
    "file by MD5",
    "file by SHA-512",
    "text",
  ])("publishes what Nix uploads: %s", async (name) => {
    const upload = nixUpload(name);
    const cache = await cacheWith([upload]);
    expect(await isPublished(cache, upload)).toBe(false);
    expect(await publish(cache, upload)).toBe("200");
    const { text } = await cache.ask("GET", upload.narinfoPath);
    const url = /^URL: (.*)$/m.exec(text)?.[1];
    expect(url).toMatch(/^nar\/tvix-castore\/[\w-]+\?narsize=\d+$/);
    expect(text.replace(/^URL: .*$/m, "")).toBe(upload.narinfo.replace(/^URL: .*$/m, ""));
    expect((await cache.ask("GET", `/${url}`)).body).toEqual(upload.nar);
  });

  it("publishes a closure in the order of its references, one path with itself", async () => {
    const cache = await cacheWith(NIX_CLOSURE);
    for (const upload of NIX_CLOSURE) expect(await publish(cache, upload)).toBe("200");
  });

  it("publishes a second path with the same NAR without a second upload", async () => {
    const cache = await cacheWith([SOURCE]);
    expect(await publish(cache, SOURCE)).toBe("200");
    expect((await cache.ask("HEAD", SOURCE.narPath)).status).toBe(200);
    expect(await publish(cache, nixUpload("NAR by SHA-1"))).toBe("200");
  });

  const edit = (pattern: RegExp, by: string) => OUTPUT.narinfo.replace(pattern, by);
  it.each<[string, NixUpload, string, RegExp]>([
    ["of another path", TEXT, OUTPUT.narinfo, /^400 the narinfo is that of .*-selfish, not of /],
    [
      "with another size",
      OUTPUT,
      edit(/NarSize: 920/, "NarSize: 921"),
      /^400 .*921 bytes, but.* 920$/,
    ],
    [
      "with another hash",
      OUTPUT,
      edit(/NarHash: .*/, TEXT.narinfo.match(/NarHash: .*/)?.[0] ?? ""),
      /^400 .* another hash/,
    ],
    [
      "with a hash of nothing",
      OUTPUT,
      edit(/NarHash: .*/, `NarHash: sha256:${"0".repeat(52)}`),
      /^400 .* another hash/,
    ],
    [
      "with a reference to nothing",
      OUTPUT,
      edit(/References: /, `References: ${"0".repeat(32)}-x `),
      /^400 .* refers to \/nix\/store\/0{32}-x, which is not here$/,
    ],
    [
      "with a reference of another name",
      OUTPUT,
      edit(/-text-b/, "-text-c"),
      /^400 .*-text-c, which is not here$/,
    ],
    [
      "with the address of another",
      REFERRER,
      `${REFERRER.narinfo.replace(/CA: .*\n/, "")}${TEXT.narinfo.match(/CA: .*\n/)?.[0]}`,
      /^400 .*is the address of/,
    ],
    [
      "with an address that it does not have",
      OUTPUT,
      `${OUTPUT.narinfo}CA: fixed:sha256:${"0".repeat(52)}\n`,
      /^400 Cannot verify the content address/,
    ],
    ["without a line break at its end", OUTPUT, OUTPUT.narinfo.trimEnd(), /^400 .*line break/],
    [
      "with a second hash",
      OUTPUT,
      `${OUTPUT.narinfo}NarHash: sha256:${"0".repeat(52)}\n`,
      /^400 .*second NarHash/,
    ],
    ["that is empty", OUTPUT, "", /^400 /],
    ["that is not one", OUTPUT, "\u0000\uffff\n", /^400 /],
  ])("refuses one %s, and publishes nothing", async (_, upload, narinfo, message) => {
    const others = NIX_CLOSURE.filter((other) => other !== upload);
    const cache = await cacheWith(NIX_CLOSURE);
    for (const other of others)
      if (upload !== TEXT && other !== OUTPUT) await publish(cache, other);
    expect(await put(cache, upload.narinfoPath, narinfo)).toMatch(message);
    expect(await isPublished(cache, upload)).toBe(false);
    if (upload === TEXT) return;
    expect(await publish(cache, upload)).toBe("200");
  });

  it("refuses one before its NAR", async () => {
    const cache = new MemoryCache();
    expect(await publish(cache, TEXT)).toBe(
      `400 the NAR of ${/\/nix\/store\S+/.exec(TEXT.narinfo)?.[0]} is not here: upload it first`,
    );
    expect(await isPublished(cache, TEXT)).toBe(false);
  });

  it("refuses what refers to paths that are not here, unless told otherwise", async () => {
    const strict = await cacheWith(NIX_CLOSURE);
    expect(await publish(strict, OUTPUT)).toMatch(/^400 .*-text-b, which is not here$/);
    expect(await isPublished(strict, OUTPUT)).toBe(false);
    const lax = await cacheWith(NIX_CLOSURE, { checkReferences: false });
    expect(await publish(lax, OUTPUT)).toBe("200");
  });

  it("refuses one that is too long before and after it is announced", async () => {
    const cache = await cacheWith([TEXT]);
    const body = TEXT.narinfo + "X-Padding: x\n".repeat(200_000);
    expect(await put(cache, TEXT.narinfoPath, body)).toMatch(/^413 /);
    const headers = { "content-length": "4000000" };
    const announced = await cache.ask("PUT", TEXT.narinfoPath, { body: TEXT.narinfo, headers });
    expect(announced.status).toBe(413);
  });

  it("refuses one that was cut off, though it would be well without its end", async () => {
    const cache = await cacheWith([TEXT]);
    const body = TEXT.narinfo.replace(/^Sig: .*\n/m, "");
    const headers = { "content-length": String(TEXT.narinfo.length) };
    const answer = await cache.ask("PUT", TEXT.narinfoPath, { body, headers });
    expect(answer.status).toBe(400);
    expect(await isPublished(cache, TEXT)).toBe(false);
  });
});

describe("PUT of a narinfo where keys are trusted", () => {
  it("takes what one of them has signed", async () => {
    const cache = await cacheWith(NIX_CLOSURE, { trustedKeys: TRUSTED });
    for (const upload of NIX_CLOSURE) expect(await publish(cache, upload)).toBe("200");
  });

  it.each([
    ["nobody has signed", (text: string) => text.replace(/^Sig: .*\n/m, "")],
    ["a stranger has signed", (text: string) => text.replace(/^Sig: test/m, "Sig: best")],
    ["was changed after it was signed", (text: string) => text.replace(/ f6fn\S*/, "")],
    ["is signed by nonsense", (text: string) => text.replace(/^(Sig: .*:)..../m, "$1AAAA")],
  ])("refuses what %s", async (_, change) => {
    const cache = await cacheWith(NIX_CLOSURE, { trustedKeys: TRUSTED });
    await publish(cache, TEXT);
    await publish(cache, REFERRER);
    expect(await put(cache, OUTPUT.narinfoPath, change(OUTPUT.narinfo))).toMatch(
      /^403 .* has no signature by a key that is trusted here$/,
    );
    expect(await isPublished(cache, OUTPUT)).toBe(false);
  });

  it("takes what follows from its content without any signature", async () => {
    const cache = await cacheWith([SOURCE], { trustedKeys: TRUSTED });
    const narinfo = SOURCE.narinfo.replace(/^Sig: .*\n/m, "");
    expect(await put(cache, SOURCE.narinfoPath, narinfo)).toBe("200");
  });
});

describe("PUT of a narinfo of a path that is known", () => {
  async function published(): Promise<MemoryCache> {
    const cache = await cacheWith(NIX_CLOSURE);
    for (const upload of NIX_CLOSURE) await publish(cache, upload);
    return cache;
  }
  const signatures = (text: string) => text.match(/^Sig: .*$/gm) ?? [];

  it("adds signatures to what it was served as", async () => {
    const cache = await published();
    const { text } = await cache.ask("GET", OUTPUT.narinfoPath);
    const key = SigningKey.of("other-1", new Uint8Array(32));
    const added = `Sig: ${key.signText("anything").format()}`;
    const [own = ""] = signatures(text);
    expect(await put(cache, OUTPUT.narinfoPath, text.replace(own, added))).toBe("200");
    const again = await cache.ask("GET", OUTPUT.narinfoPath);
    expect(signatures(again.text).sort()).toEqual([own, added].sort());
    expect(await put(cache, OUTPUT.narinfoPath, text)).toBe("200");
    expect((await cache.ask("GET", OUTPUT.narinfoPath)).text).toBe(again.text);
  });

  it("keeps what is known of it where the new one says less", async () => {
    const cache = await published();
    const { text } = await cache.ask("GET", OUTPUT.narinfoPath);
    expect(text).toContain("Deriver: ");
    await put(cache, OUTPUT.narinfoPath, text.replace(/^Deriver: .*\n/m, ""));
    expect((await cache.ask("GET", OUTPUT.narinfoPath)).text).toBe(text);
  });

  it("keeps the signatures of many that publish it at the same time", async () => {
    const cache = await cacheWith([TEXT]);
    const keys = Array.from({ length: 10 }, (_, i) => SigningKey.of(`k-${i}`, new Uint8Array(32)));
    const lines = keys.map((key) => `Sig: ${key.signText("anything").format()}`);
    const [own = ""] = signatures(TEXT.narinfo);
    const all = lines.map((line) => put(cache, TEXT.narinfoPath, TEXT.narinfo.replace(own, line)));
    expect(new Set(await Promise.all(all))).toEqual(new Set(["200"]));
    const { text } = await cache.ask("GET", TEXT.narinfoPath);
    expect([...signatures(text)].sort()).toEqual(lines);
  });

  it("takes one of two that say something else at the same time", async () => {
    const cache = await cacheWith(NIX_CLOSURE, { checkReferences: false });
    const other = OUTPUT.narinfo.replace(/References: \S+ /, "References: ");
    const both = [OUTPUT.narinfo, other].map((text) => put(cache, OUTPUT.narinfoPath, text));
    const [first, second] = await Promise.all(both);
    expect(first).toBe("200");
    expect(second).toMatch(/^409 .*is known with other references$/);
    const { text } = await cache.ask("GET", OUTPUT.narinfoPath);
    expect(text).toContain(OUTPUT.narinfo.match(/^References: .*$/m)?.[0]);
  });

  it.each([
    ["another NAR", /NarHash: .*/, TEXT.narinfo.match(/NarHash: .*/)?.[0] ?? "", "NAR"],
    ["another size", /NarSize: .*/, "NarSize: 1", "NAR"],
    ["other references", /References: \S+ /, "References: ", "references"],
    ["another name", /-selfish\n/, "-unselfish\n", "hash"],
  ])("refuses %s, and leaves it as it is", async (_, pattern, by, what) => {
    const cache = await published();
    const { text } = await cache.ask("GET", OUTPUT.narinfoPath);
    const changed = OUTPUT.narinfo.replace(pattern, by);
    expect(await put(cache, OUTPUT.narinfoPath, changed)).toMatch(new RegExp(`^409 .*${what}`));
    expect((await cache.ask("GET", OUTPUT.narinfoPath)).text).toBe(text);
  });
});

describe("PUT of a narinfo where content is searched for references", () => {
  const nothing = `${"0".repeat(32)}-x`;
  const changed = {
    "lists what does not occur": OUTPUT.narinfo.replace("References: ", `References: ${nothing} `),
    "does not list the path itself": OUTPUT.narinfo.replace(/ \S+(?=\nDeriver)/, ""),
  };
  const messages = {
    "lists what does not occur": `does not hold what it refers to: /nix/store/${nothing}`,
    "does not list the path itself": "refers to itself, which its narinfo does not say",
  };
  const kinds = Object.keys(changed) as (keyof typeof changed)[];

  async function uploads(options: BinaryCacheOptions): Promise<MemoryCache> {
    const cache = await cacheWith(NIX_CLOSURE, { checkReferences: false, ...options });
    await publish(cache, TEXT);
    await publish(cache, REFERRER);
    return cache;
  }

  it.each(["off", "warn", "refuse"] as const)("takes all that Nix uploads: %s", async (scan) => {
    const told: string[] = [];
    const warn = (message: string) => void told.push(message);
    const cache = await uploads({ scanReferences: scan, warn, checkReferences: true });
    expect(await publish(cache, OUTPUT)).toBe("200");
    for (const name of ["NAR by SHA-256", "NAR with a reference to itself"]) {
      const upload = nixUpload(name);
      await put(cache, upload.narPath, upload.nar);
    }
    expect(await publish(cache, SOURCE)).toBe("200");
    expect(told).toEqual([]);
  });

  it.each(kinds)("refuses one that %s, where that is asked for", async (kind) => {
    const cache = await uploads({ scanReferences: "refuse" });
    const answer = await put(cache, OUTPUT.narinfoPath, changed[kind]);
    expect(answer).toMatch(/^400 /);
    expect(answer).toContain(messages[kind]);
    expect(await isPublished(cache, OUTPUT)).toBe(false);
    expect(await publish(cache, OUTPUT)).toBe("200");
  });

  it.each(kinds)("takes one that %s with a warning, or without", async (kind) => {
    const told: string[] = [];
    const warn = (message: string) => void told.push(message);
    const warning = await uploads({ scanReferences: "warn", warn });
    expect(await put(warning, OUTPUT.narinfoPath, changed[kind])).toBe("200");
    expect(told).toEqual([expect.stringContaining(messages[kind])]);
    told.length = 0;
    const silent = await uploads({ warn });
    expect(await put(silent, OUTPUT.narinfoPath, changed[kind])).toBe("200");
    expect(told).toEqual([]);
  });

  it("takes references that are part of the address for true", async () => {
    const nar = nixUpload("NAR with a reference to itself");
    const told: string[] = [];
    const warn = (message: string) => void told.push(message);
    const cache = await uploads({ scanReferences: "warn", warn });
    await put(cache, nar.narPath, nar.nar);
    expect(await publish(cache, nar)).toBe("200");
    expect(told).toEqual([]);
  });

  it("names a few of many", async () => {
    const cache = await uploads({ scanReferences: "refuse" });
    const many = ["1", "2", "3", "4", "5"].map((digit) => `${digit.repeat(32)}-x`);
    const narinfo = OUTPUT.narinfo.replace("References: ", `References: ${many.join(" ")} `);
    expect(await put(cache, OUTPUT.narinfoPath, narinfo)).toMatch(/3{32}-x and 2 more$/);
  });
});
