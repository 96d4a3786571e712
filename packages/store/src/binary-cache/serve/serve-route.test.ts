import {
  compareBytes,
  directoryNode,
  escapeBytes,
  fileNode,
  type Node,
  SymlinkTarget,
  symlinkNode,
  toUtf8,
} from "@tvix/castore";
import { NOWHERE } from "@tvix/castore/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { PathInfo } from "../../path-info.js";
import { StorePath } from "../../store-path/store-path.js";
import { type Answer, type AskOptions, MemoryCache } from "../../testing/memory-cache.js";
import type { MemoryTree } from "../../testing/nar-reference.js";
import { storeTree } from "../../testing/tree-arbitrary.js";

type Entry = readonly [name: string | Uint8Array, tree: MemoryTree];

const HASH = "0".repeat(32);
const PATH = StorePath.parse(`${HASH}-app`);
const OTHER = StorePath.parse(`${"1".repeat(32)}-lib?v=1+2`);
/** As it stands in a URL. */
const OTHER_URL = `${"1".repeat(32)}-lib%3Fv%3D1%2B2`;

function file(content: string | Uint8Array = "", executable = false): MemoryTree {
  const bytes = typeof content === "string" ? toUtf8(content) : content;
  return { type: "file", content: bytes, executable };
}

function link(target: string | Uint8Array): MemoryTree {
  return { type: "symlink", target: typeof target === "string" ? toUtf8(target) : target };
}

function directory(...entries: readonly Entry[]): MemoryTree {
  const named = entries.map(
    ([name, tree]) => [typeof name === "string" ? toUtf8(name) : name, tree] as const,
  );
  return { type: "directory", entries: named.sort(([a], [b]) => compareBytes(a, b)) };
}

/** Names that are easily taken for something else. */
const HOSTILE: readonly Uint8Array[] = [
  ...[
    "<script>document.title=1",
    `"onmouseover="x`,
    "it's & more",
    "100%41",
    "what?a=b#c",
    "new\nline\r\n",
    "\x1b[31mred",
    "\u202egnp.exe",
    "javascript:alert(1)",
    "a:b",
    "...",
    "back\\slash",
    " leading",
    "\u{1f4a9}é",
    "%",
    "+ +",
  ].map(toUtf8),
  Uint8Array.of(0xff, 0xfe, 0x41),
];

const TREE = directory(
  ["a.txt", file("text of a")],
  ["page.html", file("<script>1</script>")],
  ["index.css", file("a {}")],
  ["bytes", file(Uint8Array.of(0, 1, 2))],
  ["run", file("#!/bin/sh\n", true)],
  ["sub", directory(["deep", directory(["f", file("deep f")])], ["up", link("../a.txt")])],
  ["site", directory(["index.html", file("<h1>site</h1>")], ["x.png", file("x")])],
  ["linked-site", directory(["index.html", link("../site/index.html")])],
  ["odd-site", directory(["index.html", directory()])],
  ["gone-site", directory(["index.html", link("nowhere")])],
  ["far-site", directory(["index.html", link(`${OTHER}/share/x.html`)])],
  ["to-a", link("a.txt")],
  ["to-sub", link("sub/./deep//")],
  ["to-self", link(`${PATH}/sub`)],
  ["round", link("round")],
  ["many", link("many/many")],
  ["out", link("../../../etc/passwd")],
  ["etc", link("/etc/passwd")],
  ["store", link("..")],
  ["beside", link("/nix/stores/x")],
  ["unknown", link(`/nix/store/${"2".repeat(32)}-unknown`)],
  ["not-a-path", link("../.links/x")],
  ["other", link(String(OTHER))],
  ["other-file", link(`../${OTHER.baseName}/share/../share/x.html`)],
  ["other-and-back", link(`${OTHER}/back/sub`)],
  ["hostile", directory(...HOSTILE.map((name) => [name, file(name)] as const))],
);

const OTHER_TREE = directory(
  ["share", directory(["x.html", file("x")])],
  ["back", link(String(PATH))],
);

let cache: MemoryCache;

beforeEach(async () => {
  cache = new MemoryCache();
  await cache.publish(PATH, await storeTree(cache, TREE));
  await cache.publish(OTHER, await storeTree(cache, OTHER_TREE));
});

/** @param rest - behind the hash, with its slash */
async function get(rest: string, options: AskOptions = {}): Promise<Answer> {
  return await cache.ask("GET", `/serve/${HASH}${rest}`, options);
}

/** The path that a browser would go to. */
async function locationOf(rest: string): Promise<string> {
  const { status, headers } = await get(rest);
  expect(status).toBe(302);
  const from = `http://cache/prefix/serve/${HASH}${rest}`;
  return new URL(headers["location"] ?? "", from).pathname.replace("/prefix/serve/", "");
}

describe("SERVE_ROUTE of files", () => {
  it.each([
    ["/a.txt", "text of a", "text/plain; charset=utf-8"],
    ["-app/a.txt", "text of a", "text/plain; charset=utf-8"],
    ["-%61pp/%61.txt", "text of a", "text/plain; charset=utf-8"],
    ["/page.html", "<script>1</script>", "text/html"],
    ["/index.css", "a {}", "text/css; charset=utf-8"],
    ["/bytes", "\0\x01\x02", "application/octet-stream"],
    ["/run", "#!/bin/sh\n", "text/plain; charset=utf-8"],
    ["/sub/deep/f", "deep f", "text/plain; charset=utf-8"],
    ["/to-a", "text of a", "text/plain; charset=utf-8"],
    ["/sub/up", "text of a", "text/plain; charset=utf-8"],
    ["/to-sub/f", "deep f", "text/plain; charset=utf-8"],
    ["/to-self/deep/f", "deep f", "text/plain; charset=utf-8"],
    ["/other-and-back/deep/f", "deep f", "text/plain; charset=utf-8"],
    ["/site/", "<h1>site</h1>", "text/html"],
    ["/linked-site/", "<h1>site</h1>", "text/html"],
  ])("serves %s", async (rest, text, type) => {
    expect(await get(rest)).toMatchObject({
      status: 200,
      text,
      headers: { "content-type": type, "content-security-policy": "sandbox" },
    });
  });

  it("serves a store path that is a file", async () => {
    const path = StorePath.parse(`${"3".repeat(32)}-notes.html`);
    await cache.publish(path, await storeTree(cache, file("notes")));
    const url = `/serve/${path.baseName}`;
    expect(await cache.ask("GET", url)).toMatchObject({
      text: "notes",
      headers: { "content-type": "text/html" },
    });
    expect(await cache.ask("GET", `${url}/`)).toMatchObject({ status: 404 });
    expect(await cache.ask("GET", `${url}/x`)).toMatchObject({ status: 404 });
  });

  it("has tags, ranges, conditions and HEAD", async () => {
    const whole = await get("/a.txt");
    const { etag = "" } = whole.headers;
    expect(etag).toMatch(/^"[0-9a-z]{52}"$/);
    const same = await get("/a.txt", { headers: { "if-none-match": etag } });
    expect(same).toMatchObject({ status: 304, text: "" });
    const part = await get("/a.txt", { headers: { range: "bytes=-1" } });
    expect(part).toMatchObject({ status: 206, text: "a" });
    expect(await get("/a.txt", { headers: { range: "bytes=9-" } })).toMatchObject({ status: 416 });
    const head = await cache.ask("HEAD", `/serve/${HASH}/a.txt`);
    expect(head).toMatchObject({ status: 200, text: "", headers: whole.headers });
  });

  it.each(HOSTILE.map((bytes) => [escapeBytes(bytes), bytes] as const))(
    "finds a file by any name: %s",
    async (_, bytes) => {
      const encoded = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
      expect((await get(`/hostile/${encoded}`)).body).toEqual(bytes);
    },
  );

  it.each(["PUT", "POST", "DELETE"])("does not allow %s", async (method) => {
    expect(await cache.ask(method, `/serve/${HASH}/a.txt`)).toMatchObject({ status: 405 });
  });
});

describe("SERVE_ROUTE of directories", () => {
  it.each([
    ["", `${HASH}/`],
    ["-app", `${HASH}-app/`],
    ["/sub", `${HASH}/sub/`],
    ["-app/sub/deep", `${HASH}-app/sub/deep/`],
    ["/to-sub", `${HASH}/to-sub/`],
    ["/hostile", `${HASH}/hostile/`],
    ["/other", `${OTHER_URL}/`],
    ["/other/", `${OTHER_URL}/`],
    ["/other/share/", `${OTHER_URL}/share/`],
    ["/other-file", `${OTHER_URL}/share/x.html`],
    ["/far-site/", `${OTHER_URL}/share/x.html`],
  ])("leads from %s to %s", async (rest, expected) => {
    expect(await locationOf(rest)).toBe(expected);
  });

  it("lists what is there, with sizes and targets", async () => {
    const { status, text, headers } = await get("/");
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(headers["content-security-policy"]).toMatch(/^sandbox; default-src 'none';/);
    expect(text).toContain(`<title>${PATH.baseName}/</title>`);
    expect(text).toContain('<a href="./sub/"><bdi>sub/</bdi></a>');
    expect(text).toContain('<span title="9 bytes">9 B</span>');
    expect(text).toContain("<bdi>executable</bdi>");
    expect(text).toContain("<bdi>link to /etc/passwd</bdi>");
    expect(text).not.toContain("parent directory");
    expect(text).toContain(`<footer>${TREE.type === "directory" && TREE.entries.length} entries`);
  });

  it("leads up", async () => {
    const { text } = await get("/sub/deep/");
    expect(text).toContain('<a href="../">');
    expect(text).toContain(
      `<h1><a href="../../"><bdi>${PATH.baseName}</bdi></a>/<a href="../"><bdi>sub</bdi></a>/<a href="./">`,
    );
    expect(text).toContain("<footer>1 entry</footer>");
  });

  it.each(["/odd-site/", "/gone-site/"])("lists %s, whose index is no file", async (rest) => {
    expect((await get(rest)).text).toContain('href="./index.html');
  });

  it("escapes every name, and links to each", async () => {
    const { text } = await get("/hostile/");
    const links = [...text.matchAll(/href="\.\/([^"]+)"/g)].map(([, name = ""]) => name);
    expect(links).toHaveLength(HOSTILE.length);
    const sorted = [...HOSTILE].sort(compareBytes);
    for (const [i, name] of links.entries()) {
      expect((await get(`/hostile/${name}`)).body).toEqual(sorted[i]);
    }
    const tags = text.slice(text.indexOf("<body>")).match(/<[^>]*>/g) ?? [];
    const allowed =
      /^<\/?(?:body|html|h1|table|thead|tbody|tr|th|td|a|bdi|footer|span)(?: (?:href|title)="[^"<>]*")?>$/;
    expect(tags.filter((tag) => !allowed.test(tag))).toEqual([]);
    for (const raw of ["\x1b", "\u202e", "\r", "<script"]) expect(text).not.toContain(raw);
  });

  it("lists many entries", async () => {
    const path = StorePath.parse(`${"3".repeat(32)}-many`);
    const names = Array.from({ length: 1000 }, (_, i) => `file-${i}`);
    const tree = directory(...names.map((name) => [name, file(name)] as const));
    await cache.publish(path, await storeTree(cache, tree));
    const { text } = await cache.ask("GET", `/serve/${path.baseName}/`);
    expect(text.match(/<tr><td>/g)).toHaveLength(1000);
  });
});

describe("SERVE_ROUTE of what is not there", () => {
  it.each([
    "/nothing",
    "/sub/nothing/",
    "/a.txt/",
    "/a.txt/x",
    "/to-a/",
    "/sub//deep",
    "//",
    "/.",
    "/..",
    "/sub/../a.txt",
    "/%2e%2e/a.txt",
    "/sub%2fdeep",
    "/a.txt%00",
    "/%zz",
    "/\u20ac",
    "-other/a.txt",
    "-%zz/a.txt",
    "/round",
    "/many",
    "/out",
    "/etc",
    "/store",
    "/beside",
    "/unknown",
    "/not-a-path",
    `/other-and-back/../../${"4".repeat(32)}`,
  ])("says so: %s", async (rest) => {
    const answer = await get(rest);
    expect(answer).toMatchObject({ status: 404, text: expect.stringMatching(/^[^\n]+\n$/) });
  });

  it.each([
    ["a name", `/${"x".repeat(256)}`],
    ["a path", `/${"sub/".repeat(2000)}`],
  ])("says so of %s that is too long", async (_, rest) => {
    expect(await get(rest)).toMatchObject({ status: 404 });
  });

  it("says so of a store path", async () => {
    expect(await cache.ask("GET", `/serve/${"5".repeat(32)}/`)).toMatchObject({ status: 404 });
  });

  it("says so in a page to people", async () => {
    const headers = { accept: "text/html,*/*;q=0.8" };
    const answer = await get("/nothing", { headers });
    expect(answer.status).toBe(404);
    expect(answer.headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(answer.headers["content-length"]).toBe(String(answer.body.byteLength));
    expect(answer.text).toContain("<h1>Not found</h1>");
  });

  it.each<readonly [Node, string]>([
    [fileNode(NOWHERE, 5n), ""],
    [directoryNode(NOWHERE, 1n), "/"],
    [directoryNode(NOWHERE, 1n), "/x"],
  ])("says so of content that is not stored, before it has begun: %#", async (node, rest) => {
    const storePath = StorePath.parse(`${"3".repeat(32)}-damaged`);
    const nar = { narSize: 1n, narSha256: new Uint8Array(32) };
    await cache.pathInfos.put(PathInfo.of({ storePath, node, ...nar }));
    const answer = await cache.ask("GET", `/serve/${storePath.baseName}${rest}`);
    expect(answer).toMatchObject({ status: 404, text: expect.stringContaining("not stored") });
  });

  it("gives up on links without end", async () => {
    const path = StorePath.parse(`${"3".repeat(32)}-links`);
    const steps = "d/../".repeat(800);
    const entries = Array.from(
      { length: 30 },
      (_, i) => [`l${i}`, link(`${steps}l${i + 1}`)] as const,
    );
    const tree = directory(["d", directory()], ...entries, ["l30", file("end")]);
    await cache.publish(path, await storeTree(cache, tree));
    expect(await cache.ask("GET", `/serve/${path.baseName}/l29`)).toMatchObject({ text: "end" });
    expect(await cache.ask("GET", `/serve/${path.baseName}/l0`)).toMatchObject({ status: 404 });
  });

  it("follows a link at the root of a store path", async () => {
    const path = StorePath.parse(`${"3".repeat(32)}-link`);
    await cache.publish(path, symlinkNode(SymlinkTarget.parse(`${PATH.baseName}/sub`)));
    const answer = await cache.ask("GET", `/serve/${path.baseName}`);
    expect(answer.headers["location"]).toBe(`./${PATH.baseName}/sub/`);
  });
});
