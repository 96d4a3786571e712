import {
  Directory,
  type DirectoryEntry,
  directoryNode,
  fileNode,
  type Node,
  PathComponent,
  SymlinkTarget,
  symlinkNode,
  toUtf8,
} from "@tvix/castore";
import type { CastoreServices } from "../nar/renderer.js";

/** A tree, what its NAR amounts to, and the store path it has under the name `dummy`. */
export interface NarFixture {
  readonly name: string;
  /** Stores what the tree is made of and returns its root. */
  readonly store: (services: CastoreServices) => Promise<Node>;
  readonly narSize: bigint;
  /** Hexadecimal. */
  readonly narSha256: string;
  readonly narSha256NixBase32: string;
  /** Digest of the store path, nixbase32. */
  readonly storePathDigest: string;
}

/** The symbolic link that the fixtures use. */
export const SYMLINK_NODE: Node = symlinkNode(SymlinkTarget.parse("/nix/store/somewhereelse"));

/** Stores a blob and returns a file node for it. */
export async function storeFile(
  services: CastoreServices,
  content: Uint8Array,
  executable = false,
): Promise<Node> {
  const digest = await services.blobs.put([content]);
  return fileNode(digest, BigInt(content.byteLength), executable);
}

/** Stores a Directory and returns a node for it. */
export async function storeDirectory(
  services: CastoreServices,
  entries: Readonly<Record<string, Node>>,
): Promise<Node> {
  const directory = Directory.fromEntries(
    Object.entries(entries).map(
      ([name, node]): DirectoryEntry => ({ name: PathComponent.parse(name), node }),
    ),
  );
  return directoryNode(await services.directories.put(directory), directory.size());
}

/** The link alone. */
export const SYMLINK_FIXTURE: NarFixture = {
  name: "symlink",
  store: async () => SYMLINK_NODE,
  narSize: 136n,
  narSha256: "097d397e9b5826384eaa16c457715d1c1a51670313ead0f58566e0b232539cf1",
  narSha256NixBase32: "1wcwacrb5q36hpsx1shk0dkm26hwbmqmgi0nm973h9jqkdz3jz89",
  storePathDigest: "cmc0xpzm4gagvngbm1s8sr3z08zy39a4",
};

/**
 * Trees of the tests of tvix, and some more. The values agree with the constants there, with
 * `nix-store --dump`, `nix-hash --type sha256 --base32` and `nix-store --add` of Nix 2.8.
 */
export const NAR_FIXTURES: readonly NarFixture[] = [
  SYMLINK_FIXTURE,
  {
    name: "hello world",
    store: (services) => storeFile(services, toUtf8("Hello World!")),
    narSize: 128n,
    narSha256: "03e7f63be30b065d78bcf615f5473545fdb4eb69aa416f43495b4e05cdfb8040",
    narSha256NixBase32: "0h40zg6hakjv951nyhdad7mv9za56m3za5gnpiw5s1hbwcxzdrq3",
    storePathDigest: "sql3wa6lmri900p6f08aph1w5mjyh9vs",
  },
  {
    name: "complicated directory",
    store: async (services) => {
      const keep = await storeFile(services, new Uint8Array(0));
      return storeDirectory(services, {
        ".keep": keep,
        aa: SYMLINK_NODE,
        keep: await storeDirectory(services, { ".keep": keep }),
      });
    },
    narSize: 840n,
    narSha256: "ebd52279a8df024c9fd5718de4103bf5e760dc7f2cf49044ee7dea87ab16911a",
    narSha256NixBase32: "06li2smqgskxxr291x1cgzf61rzm7c8f93bisnglq0nzm1wj5mgb",
    storePathDigest: "js9nc31yaxvxcxdp65nzwgbb2zvj0bl0",
  },
  {
    name: "empty directory",
    store: (services) => storeDirectory(services, {}),
    narSize: 96n,
    narSha256: "a50a5ab6d992f5598edd92105059fae9acfc192981e08bd88534c2167e92526a",
    narSha256NixBase32: "0sjjj9z1dhilhpc8pq4154czrb79z9cm044jvn75kxcjv6v5l2m5",
    storePathDigest: "5w5lnskqzgs64b8k41l18xddlacc9x5n",
  },
  {
    name: "file of one byte 01",
    store: (services) => storeFile(services, Uint8Array.of(1)),
    narSize: 120n,
    narSha256: "730850a811259dbf3a68dc2ee87a79aa6cae9f71375edf396f9d7a91fbe9134d",
    narSha256NixBase32: "0k8kx7xr2ylxdwwxypipf6gswv5ag5xfhbnwd0xbz79526l5023k",
    storePathDigest: "yj2vlrg6gw6xpi1p89rgdvpv8j37nhhz",
  },
  {
    name: "executable file of one byte 01",
    store: (services) => storeFile(services, Uint8Array.of(1), true),
    narSize: 152n,
    narSha256: "fa0de8dccc3589bed965eee20dd776b232f90fee5f004a58e11898c8d371c7f4",
    narSha256NixBase32: "1x67f79wi60qw5c4l02zxq7zjcmjfvbhvqpfcpcvx29mrkffh3gs",
    storePathDigest: "yml68a41h4vf6y6k33x6xx0qdvyx5vdm",
  },
  {
    name: "empty file",
    store: (services) => storeFile(services, new Uint8Array(0)),
    narSize: 112n,
    narSha256: "77ac62e2629d8e45f624589c0c8bf99e24b3a722349bf1e79bc186008534e246",
    narSha256NixBase32: "0ip26j2h11n1kgkz36rl4akv694yz65hr72q4kv4b3lxcbi65b3p",
    storePathDigest: "p4ydly6vpbpxaz2iiqxgdhw6m2pacggw",
  },
];
