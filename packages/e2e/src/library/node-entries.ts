/** Compiled, not run: every entry for Node resolves, and its declarations stand on their own. */
export type * as CastoreFs from "@tvix/castore/fs";
export type * as CastoreLocal from "@tvix/castore/local";
export type * as ProtosCastore from "@tvix/protos/castore";
export type * as ProtosStore from "@tvix/protos/store";
export type * as StoreFs from "@tvix/store/fs";
export type * as StoreLocal from "@tvix/store/local";
