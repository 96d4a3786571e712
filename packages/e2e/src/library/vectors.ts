/**
 * What the pure parts compute, as text: the same program runs in Node inside the workspace, in Node
 * outside of it with the packed packages, and in a browser. It uses the main entries only.
 */
import {
  type B3Digest,
  blake3,
  Directory,
  directoryDigest,
  directoryNode,
  fileNode,
  MemoryBlobService,
  MemoryDirectoryService,
  type Node,
  PathComponent,
  SymlinkTarget,
  symlinkNode,
} from "@tvix/castore";
import { buildStorePath, calculateNar, contentAddress, NixHash } from "@tvix/store";

/** Vectors that tvix's own tests contain, and NARs and paths that Nix makes of the same trees. */
export const EXPECTED: Readonly<Record<string, string>> = {
  "blob empty": "b3:rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=",
  "blob Hello World!": "b3:XKeBWty0hOmhNsEe/mnB1TAXbVSbXRjQOOtSgLSzRww=",
  "blob 1 MiB": "b3:qCxRVKegwmLG/bkpoxdYVkb4+8+AMm0Ke4dH7a8tmdI=",
  "directory with .keep": "b3:i1tdZCtka7jtUEsIYsOUE+h+V0kUl9570HWVP3uDgQ4=",
  "directory of all kinds": "b3:P5UaFa/VhvsxIe9NE9WC6BHODlp/IcBJf9h0kOniNVo=",
  "directory read back": "file .keep 0, symlink aa, directory keep 1",
  "file NAR": "128 sha256:03e7f63be30b065d78bcf615f5473545fdb4eb69aa416f43495b4e05cdfb8040",
  "file path": "/nix/store/sql3wa6lmri900p6f08aph1w5mjyh9vs-dummy",
  "symlink NAR": "136 sha256:097d397e9b5826384eaa16c457715d1c1a51670313ead0f58566e0b232539cf1",
  "symlink path": "/nix/store/cmc0xpzm4gagvngbm1s8sr3z08zy39a4-dummy",
  "directory NAR": "840 sha256:ebd52279a8df024c9fd5718de4103bf5e760dc7f2cf49044ee7dea87ab16911a",
  "directory path": "/nix/store/js9nc31yaxvxcxdp65nzwgbb2zvj0bl0-dummy",
};

/** Computes everything that {@link EXPECTED} names. */
export async function computeVectors(): Promise<Record<string, string>> {
  const services = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
  const hello = text("Hello World!");
  const empty = await services.blobs.put([]);
  const helloDigest = await services.blobs.put([hello.subarray(0, 5), hello.subarray(5)]);
  const large = Uint8Array.from({ length: 255 * 4096 }, (_, index) => index % 255);

  const withKeep = Directory.fromEntries([{ name: name(".keep"), node: fileNode(empty, 0n) }]);
  const keepDigest = await services.directories.put(withKeep);
  const symlink = symlinkNode(SymlinkTarget.parse("/nix/store/somewhereelse"));
  const allKinds = Directory.fromEntries([
    { name: name("keep"), node: directoryNode(keepDigest, withKeep.size()) },
    { name: name(".keep"), node: fileNode(empty, 0n) },
    { name: name("aa"), node: symlink },
  ]);
  const allKindsDigest = await services.directories.put(allKinds);
  if (!allKindsDigest.equals(directoryDigest(allKinds))) throw new Error("Digests differ");

  return {
    "blob empty": empty.toString(),
    "blob Hello World!": helloDigest.toString(),
    "blob 1 MiB": blake3(large).toString(),
    "directory with .keep": keepDigest.toString(),
    "directory of all kinds": allKindsDigest.toString(),
    "directory read back": await readBack(services.directories, allKindsDigest),
    ...(await nar("file", fileNode(helloDigest, 12n))),
    ...(await nar("symlink", symlink)),
    ...(await nar("directory", directoryNode(allKindsDigest, allKinds.size()))),
  };

  async function nar(kind: string, node: Node): Promise<Record<string, string>> {
    const { narSize, narSha256 } = await calculateNar(services, node);
    const hash = NixHash.of("sha256", narSha256);
    const path = buildStorePath("dummy", contentAddress("nar", hash));
    return { [`${kind} NAR`]: `${narSize} sha256:${hex(narSha256)}`, [`${kind} path`]: `${path}` };
  }
}

async function readBack(directories: MemoryDirectoryService, digest: B3Digest): Promise<string> {
  const directory = await directories.get(digest);
  const entries = directory?.entries.map(({ name, node }) => {
    if (node.type === "symlink") return `symlink ${name}`;
    return `${node.type} ${name} ${node.size}`;
  });
  return entries?.join(", ") ?? "absent";
}

function name(value: string): PathComponent {
  return PathComponent.parse(value);
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
