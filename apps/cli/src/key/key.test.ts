import { SigningKey } from "@tvix/store";
import { describe, expect, it } from "vitest";
import { UsageError } from "../exit.js";
import { fakeHost } from "../testing/fake-host.js";
import { generateKey } from "./generate-key.js";
import { printPublicKey } from "./public-key.js";

async function generate(name: string): Promise<string> {
  const { host, written } = fakeHost();
  const options = {} as Parameters<typeof generateKey>[0]["options"];
  await generateKey({ arguments: [name], options, purpose: "tvix key generate" }, host);
  await host.stdout.flush();
  return written.stdout;
}

async function publicOf(...pieces: string[]): Promise<string> {
  const { host, written } = fakeHost();
  async function* input() {
    for (const piece of pieces) yield new TextEncoder().encode(piece);
  }
  await printPublicKey(host, input());
  await host.stdout.flush();
  return written.stdout;
}

describe("generateKey()", () => {
  it("prints a secret key of that name, another one each time", async () => {
    const text = await generate("cache.example.org-1");
    expect(text).toMatch(/^cache\.example\.org-1:[A-Za-z0-9+/]{86}==\n$/);
    expect(SigningKey.parse(text).keyName).toBe("cache.example.org-1");
    expect(await generate("cache.example.org-1")).not.toBe(text);
  });

  it.each(["", "a:b", "a b"])("refuses the name %j", async (name) => {
    await expect(generate(name)).rejects.toThrow(UsageError);
  });
});

describe("printPublicKey()", () => {
  it("prints what verifies the signatures of the key", async () => {
    const secret = await generate("k");
    const expected = `${SigningKey.parse(secret).publicKey}\n`;
    expect(await publicOf(secret)).toBe(expected);
    expect(await publicOf(secret.slice(0, 5), secret.slice(5).trimEnd())).toBe(expected);
    expect(expected).toMatch(/^k:[A-Za-z0-9+/]{43}=\n$/);
  });

  it("never repeats what may be secret", async () => {
    const secret = (await generate("k")).trimEnd();
    for (const text of ["", "k:c2VjcmV0", `${secret}A`, secret.replace(/^k:../, "k:AA")]) {
      const error = await publicOf(text).catch((cause: unknown) => String(cause));
      expect(error).toContain("secret key");
      expect(error).not.toContain(text.slice(2, 20) || "\0");
    }
    await expect(publicOf("x".repeat(5000))).rejects.toThrow("standard input is no secret key");
  });
});
