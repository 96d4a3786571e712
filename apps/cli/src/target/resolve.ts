import {
  type B3Digest,
  type CallOptions,
  directoryNode,
  fileNode,
  getChild,
  type Node,
  type PathComponent,
} from "@tvix/castore";
import { type PathInfo, STORE_DIR } from "@tvix/store";
import { NotFoundError } from "../exit.js";
import { kindOf } from "../format/nodes.js";
import type { OpenStore } from "../store/open-store.js";
import type { DigestTarget, StorePathTarget, Target } from "./target.js";

/** What a target stands for. */
export interface Resolved {
  /** The object itself. */
  readonly node: Node;
  /** How to speak of it. */
  readonly label: string;
  /** Of the store path that was named; `undefined` for a digest. */
  readonly pathInfo: PathInfo | undefined;
}

/**
 * Looks a target up.
 *
 * @throws {@link NotFoundError} when the store has no such thing, also when a store path's hash is
 *   there under another name
 */
export async function resolve(
  store: OpenStore,
  target: Target,
  options: CallOptions = {},
): Promise<Resolved> {
  const root =
    target.kind === "digest"
      ? await resolveDigest(store, target, options)
      : await resolveStorePath(store, target, options);
  let { node, label } = root;
  for (const name of target.path.components) {
    node = await child(store, node, { name, label }, options);
    label = `${label}/${name}`;
  }
  return { node, label, pathInfo: root.pathInfo };
}

async function resolveStorePath(
  store: OpenStore,
  target: StorePathTarget,
  options: CallOptions,
): Promise<Resolved> {
  const pathInfo = await store.pathInfos.get(target.outputHash, options);
  if (pathInfo === undefined) {
    throw new NotFoundError(`${STORE_DIR}/${target.text} is not in the store at ${store.place}`);
  }
  const { storePath } = pathInfo;
  if (target.name !== undefined && target.name !== storePath.name) {
    throw new NotFoundError(
      `${STORE_DIR}/${target.text} is not in the store: that hash belongs to ${storePath}`,
    );
  }
  return { node: pathInfo.node, label: storePath.toString(), pathInfo };
}

async function resolveDigest(
  store: OpenStore,
  { digest }: DigestTarget,
  options: CallOptions,
): Promise<Resolved> {
  const node =
    (await asDirectory(store, digest, options)) ?? (await asFile(store, digest, options));
  if (node !== undefined) return { node, label: digest.toString(), pathInfo: undefined };
  throw new NotFoundError(
    `neither a directory nor a file has the digest ${digest} in the store at ${store.place}`,
  );
}

async function asDirectory(
  store: OpenStore,
  digest: B3Digest,
  options: CallOptions,
): Promise<Node | undefined> {
  const directory = await store.directories.get(digest, options);
  return directory === undefined ? undefined : directoryNode(digest, directory.size());
}

async function asFile(
  store: OpenStore,
  digest: B3Digest,
  options: CallOptions,
): Promise<Node | undefined> {
  const reader = await store.blobs.openRead(digest, options);
  return reader === undefined ? undefined : fileNode(digest, BigInt(reader.size));
}

async function child(
  store: OpenStore,
  node: Node,
  step: { readonly name: PathComponent; readonly label: string },
  options: CallOptions,
): Promise<Node> {
  const { name, label } = step;
  if (node.type === "symlink") {
    throw new NotFoundError(
      `no ${label}/${name}: ${label} is a symbolic link to "${node.target}", and links are not followed`,
    );
  }
  if (node.type !== "directory") {
    throw new NotFoundError(`no ${label}/${name}: ${label} is ${kindOf(node)}`);
  }
  const directory = await getChild(store.directories, node, options);
  const found = directory.get(name);
  if (found === undefined) throw new NotFoundError(`no "${name}" in ${label}`);
  return found;
}
