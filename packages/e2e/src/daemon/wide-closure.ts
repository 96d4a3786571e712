import { create, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type B3Digest, blake3, toUtf8 } from "@tvix/castore";
import { DirectorySchema } from "@tvix/protos/castore";

/** One directory of many different ones, which have a link each. */
export interface WideClosure {
  /** The root comes last. */
  readonly messages: readonly MessageShape<typeof DirectorySchema>[];
  readonly root: B3Digest;
}

/** @param targetLength - of the link in each of the `children`, in bytes */
export function wideClosure(children: number, targetLength: number): WideClosure {
  const leaves = Array.from({ length: children }, (_, i) => {
    const target = toUtf8(String(i).padStart(targetLength, "t"));
    return create(DirectorySchema, { symlinks: [{ name: toUtf8("link"), target }] });
  });
  const root = create(DirectorySchema, {
    directories: leaves.map((leaf, i) => ({
      name: toUtf8(String(i).padStart(7, "0")),
      digest: blake3(toBinary(DirectorySchema, leaf)).toBytes(),
      size: 1n,
    })),
  });
  return { messages: [...leaves, root], root: blake3(toBinary(DirectorySchema, root)) };
}
