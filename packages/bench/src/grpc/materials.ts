import { join } from "node:path";
import { type B3Digest, createBlake3 } from "@tvix/castore";
import { LocalStore } from "@tvix/castore/local";
import { writeSeededFile } from "../primitives/seeded-bytes.js";
import { digestOfLength } from "./discarding-blobs.js";
import {
  BLOB_BYTES,
  LARGE_BYTES,
  type Row,
  SMALL_BYTES,
  WARM_LARGE_BYTES,
  WARM_SMALL_BYTES,
} from "./rows.js";
import { type ClientTask, pieces, readContents } from "./workload.js";

/** Bytes that do not compress, in a file. */
interface Contents {
  readonly file: string;
  readonly bytes: number;
  readonly digest: B3Digest;
}

/** What is stored and read. */
export interface Materials {
  readonly large: Contents;
  readonly warmLarge: Contents;
  readonly small: Contents;
  readonly warmSmall: Contents;
  /** One small blob. */
  readonly single: Contents;
  /** Data directory of a store that has the large contents and the single blob. */
  readonly filledStore: string;
}

/** In pieces of this size contents are stored. */
const PART_BYTES = 16 * 1024 * 1024;

/** Makes everything in `folder`. */
export async function makeMaterials(folder: string): Promise<Materials> {
  const make = (name: string, bytes: number): Contents => {
    const file = join(folder, name);
    return { file, bytes, digest: writeSeeded(file, name, bytes) };
  };
  const materials = {
    large: make("large", LARGE_BYTES),
    warmLarge: make("warm-large", WARM_LARGE_BYTES),
    small: make("small", SMALL_BYTES),
    warmSmall: make("warm-small", WARM_SMALL_BYTES),
    single: make("single", BLOB_BYTES),
    filledStore: join(folder, "filled"),
  };
  await using store = await LocalStore.open(materials.filledStore);
  for (const { file } of [materials.large, materials.warmLarge, materials.single]) {
    await store.blobs.put(pieces(readContents(file), PART_BYTES));
  }
  return materials;
}

/** Which contents a client of a row works with. A client that only reads is told no file. */
export function materialOf(
  row: Row,
  { kind }: ClientTask["workload"],
  materials: Materials,
): Pick<ClientTask, "digest" | "warmDigest" | "contents" | "warmContents"> {
  const { contents, warm } = contentsFor(kind, materials);
  const stores = kind.startsWith("put");
  const digestOf = ({ bytes, digest }: Contents): string =>
    Buffer.from((row.store === "discarding" ? digestOfLength(bytes) : digest).toBytes()).toString(
      "hex",
    );
  return {
    digest: digestOf(contents),
    warmDigest: digestOf(warm),
    contents: stores ? contents.file : "",
    warmContents: warm.file,
  };
}

function contentsFor(
  kind: ClientTask["workload"]["kind"],
  { large, warmLarge, small, warmSmall, single }: Materials,
): { readonly contents: Contents; readonly warm: Contents } {
  switch (kind) {
    case "stat":
      // Stat of a large blob answers with thousands of chunks: not the call would be measured.
      return { contents: single, warm: single };
    case "put-each":
    case "put-batches":
      return { contents: small, warm: warmSmall };
    default:
      return { contents: large, warm: warmLarge };
  }
}

function writeSeeded(file: string, seed: string, length: number): B3Digest {
  const hash = createBlake3();
  writeSeededFile(file, { seed, length }, (bytes) => hash.update(bytes));
  return hash.digest();
}
