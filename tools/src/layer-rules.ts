/**
 * The layers of the packages: who may import whom, and why. The picture is in ARCHITECTURE.md.
 * A new file or folder gets its place here; `check-layers.ts` reads these tables.
 */

/** Files that stand on the same level. They may import each other and everything below. */
export interface Layer {
  /** Name used in messages. */
  readonly name: string;
  /** Files, and folders with a trailing slash, relative to `src`. A file wins over its folder. */
  readonly files: readonly string[];
  /** Why this layer knows nothing of those above it. */
  readonly why: string;
  /** No `node:` module in here: the layer computes, and runs in a browser. */
  readonly pure?: true;
}

/** The rules of one package. */
export interface PackageRules {
  /** Name of the package. */
  readonly name: string;
  /** Packages of this workspace that it may import. */
  readonly mayImport: readonly string[];
  /** Why no others. */
  readonly why: string;
  /** Messages are its business everywhere, not in wire/, rpc/ and grpc/ alone. */
  readonly speaksWire?: true;
  /** All of it is test code: it may use suites and fixtures of the others. */
  readonly isTestCode?: true | undefined;
  /** From low to high. Without layers, files may import each other as they like, without cycles. */
  readonly layers?: readonly Layer[];
  /** Exported entries (source files) that must run without Node: no Node module is reachable. */
  readonly browserEntries?: readonly string[];
}

const CASTORE_LAYERS: readonly Layer[] = [
  {
    name: "ground",
    files: [
      "bytes.ts",
      "byte-block.ts",
      "shared-copy.ts",
      "errors.ts",
      "last-used.ts",
      "on-abort.ts",
      "or-abort.ts",
      "single-flight.ts",
      "linked-abort.ts",
      "clock.ts",
      "semaphore.ts",
      "when-all.ts",
    ],
    why: "every module uses these, so they can use none without a cycle",
    pure: true,
  },
  {
    name: "threads",
    files: ["threads/"],
    why: "starting a thread does not depend on what runs in it",
  },
  {
    name: "digest and hasher",
    files: ["digest.ts", "hasher/", "gen/"],
    why: "a digest names bytes; what the bytes mean is decided above",
  },
  {
    name: "trees of digests",
    files: ["bao/"],
    why: "what a digest proves of a part follows from the bytes alone, wherever they are stored",
    pure: true,
  },
  {
    name: "path",
    files: ["path/"],
    why: "names are validated without knowing what they name",
    pure: true,
  },
  {
    name: "nodes",
    files: ["nodes/"],
    why: "nodes are values; how they are encoded or stored must not change them",
    pure: true,
  },
  {
    name: "wire",
    files: ["wire/"],
    why: "the encoding is a pure function of the nodes; it serves every backend alike",
    pure: true,
  },
  {
    name: "service contracts",
    files: [
      "blobservice/blob-service.ts",
      "directoryservice/directory-service.ts",
      "directoryservice/root-nodes.ts",
    ],
    why: "a contract that knew an implementation would bind all the others to it",
    pure: true,
  },
  {
    name: "traversal and chunking",
    files: ["traversal/", "chunking/"],
    why: "these work over any implementation of the contracts, so they know none",
    pure: true,
  },
  {
    name: "implementations",
    files: ["blobservice/", "directoryservice/"],
    why: "a backend knows the contract it fulfils, not what is built over it",
  },
  {
    name: "remote",
    files: ["rpc/", "grpc/"],
    why: "handlers and clients carry the contracts over a wire and know no implementation behind it",
  },
  {
    name: "combinators",
    files: ["combinators/"],
    why: "stores over other stores know the contracts alone, so that any can stand behind any",
    pure: true,
  },
  {
    name: "import and export",
    files: ["import/", "export/"],
    why: "trees go in and out through the contracts; the store is chosen by the caller",
  },
  {
    name: "local store",
    files: ["localstore/"],
    why: "the local store is one backend among others; nothing below may depend on it",
  },
  {
    name: "entry",
    files: ["index.ts", "grpc/index.ts", "rpc/index.ts", "import/index.ts", "localstore/index.ts"],
    why: "an entry only gathers names; importing it from inside makes a cycle of everything",
  },
  {
    name: "testing",
    files: ["testing/"],
    why: "suites and fixtures must not be part of what users run",
  },
];

const STORE_LAYERS: readonly Layer[] = [
  {
    name: "ground",
    files: ["errors.ts", "nixbase32.ts"],
    why: "every module uses these, so they can use none without a cycle",
    pure: true,
  },
  {
    name: "hashes and keys",
    files: ["sha256/", "ed25519/", "nix-hash/", "nix-hash.ts", "content-address.ts"],
    why: "hashes name bytes and keys sign them; what the bytes mean is decided above",
  },
  {
    name: "compression",
    files: ["compression/"],
    why: "any bytes can be compressed; what they are is decided above",
  },
  {
    name: "store paths",
    files: ["store-path/"],
    why: "a store path is computed from hashes and names alone",
    pure: true,
  },
  {
    name: "NAR",
    files: ["nar/", "nar-calculation.ts"],
    why: "the archive format knows file trees, not where Nix keeps them",
    pure: true,
  },
  {
    name: "path info",
    files: [
      "path-info.ts",
      "signature/",
      "signed-root/",
      "narinfo/",
      "references/",
      "content-address/",
    ],
    why: "a path info is a value; how it is encoded or stored must not change it",
    pure: true,
  },
  {
    name: "wire",
    files: ["wire/"],
    why: "the encoding is a pure function of the path info; it serves every backend alike",
    pure: true,
  },
  {
    name: "service contracts",
    files: [
      "pathinfoservice/path-info-service.ts",
      "maintenance/store-maintenance.ts",
      "nar-roots/nar-roots.ts",
    ],
    why: "a contract that knew an implementation would bind all the others to it",
    pure: true,
  },
  {
    name: "implementations",
    files: ["pathinfoservice/", "maintenance/", "nar-roots/"],
    why: "a backend knows the contract it fulfils, not what is built over it",
  },
  {
    name: "remote",
    files: ["rpc/", "grpc/"],
    why: "handlers and clients carry the contract over a wire and know no implementation behind it",
  },
  {
    name: "combinators",
    files: ["combinators/"],
    why: "stores over other stores know the contract alone, so that any can stand behind any",
    pure: true,
  },
  {
    name: "import",
    files: ["import/"],
    why: "import writes through the contracts; the store it fills is chosen by the caller",
  },
  {
    name: "HTTP",
    files: ["binary-cache/", "upstream/"],
    why: "serving a binary cache and reading one are two ways over the contracts, each without the other",
  },
  {
    name: "entry",
    files: [
      "index.ts",
      "local.ts",
      "grpc/index.ts",
      "rpc/index.ts",
      "import/index.ts",
      "binary-cache/http/index.ts",
      "upstream/index.ts",
    ],
    why: "an entry only gathers names; importing it from inside makes a cycle of everything",
  },
  {
    name: "testing",
    files: ["testing/"],
    why: "suites and fixtures must not be part of what users run",
  },
];

const FUSE_LAYERS: readonly Layer[] = [
  {
    name: "contracts",
    files: ["errors.ts", "errno.ts", "file-system.ts", "channel/channel.ts"],
    why: "file systems, sessions and channels know each other by these alone",
    pure: true,
  },
  {
    name: "protocol",
    files: ["protocol/"],
    why: "messages are pure functions of bytes; the same for every channel and file system",
    pure: true,
  },
  {
    name: "session",
    files: ["session/"],
    why: "a session joins any file system to any channel, so it knows none",
    pure: true,
  },
  {
    name: "castore file system",
    files: ["castore/"],
    why: "a file system answers questions; where they come from must not change the answers",
    pure: true,
  },
  {
    name: "C library",
    files: ["native/"],
    why: "calls into the system are the same for every channel",
  },
  {
    name: "channels",
    files: ["channel/", "device/", "virtiofs/"],
    why: "a channel carries bytes; what they mean is the business of the session",
  },
  {
    name: "mounts",
    files: ["mount/"],
    why: "mounting gives a channel to the system; who serves it is chosen by the applications",
  },
  {
    name: "entry",
    files: ["index.ts"],
    why: "an entry only gathers names; importing it from inside makes a cycle of everything",
  },
  {
    name: "testing",
    files: ["testing/"],
    why: "fixtures must not be part of what users run",
  },
];

const COMPOSITION_LAYERS: readonly Layer[] = [
  {
    name: "ground",
    files: ["service-kind.ts", "composition-error.ts", "quantities.ts", "address/"],
    why: "texts mean the same whatever they are the address of",
    pure: true,
  },
  {
    name: "fields",
    files: ["fields/"],
    why: "a value is right or wrong by itself: which backend has asked for it must not matter",
    pure: true,
  },
  {
    name: "registry",
    files: ["registry/"],
    why: "the registry is open to backends of others, so it knows none",
    pure: true,
  },
  {
    name: "documents and plans",
    files: ["document/", "plan/", "print/"],
    why: "a composition is read and checked without opening anything",
  },
  {
    name: "backends",
    files: ["backends/"],
    why: "a backend is handed its settings: how they were written must not matter",
  },
  {
    name: "opening",
    files: ["open/"],
    why: "services are opened by their plan, whatever their backends",
  },
  {
    name: "entry",
    files: ["index.ts"],
    why: "an entry only gathers names; importing it from inside makes a cycle of everything",
  },
  {
    name: "testing",
    files: ["testing/"],
    why: "fixtures must not be part of what users run",
  },
];

/** Rules of every package of the workspace. */
export const PACKAGE_RULES: readonly PackageRules[] = [
  {
    name: "@tvix/protos",
    mayImport: [],
    why: "generated messages stand below everything that gives them a meaning",
  },
  {
    name: "@tvix/castore",
    mayImport: ["@tvix/protos"],
    why: "castore is content addressing alone: it knows neither Nix nor a command line",
    layers: CASTORE_LAYERS,
    browserEntries: ["index.ts"],
  },
  {
    name: "@tvix/store",
    mayImport: ["@tvix/protos", "@tvix/castore"],
    why: "store adds Nix to castore and is used by the applications, not the reverse",
    layers: STORE_LAYERS,
    browserEntries: ["index.ts"],
  },
  {
    name: "@tvix/grpc",
    mayImport: ["@tvix/protos"],
    why: "calls over HTTP/2 work for any service: what is served is chosen by the applications",
    speaksWire: true,
  },
  {
    name: "@tvix/fuse",
    mayImport: ["@tvix/castore"],
    why: "a mount shows nodes and blobs; that some are store paths is known to the root nodes it is given",
    layers: FUSE_LAYERS,
  },
  {
    name: "@tvix/composition",
    mayImport: ["@tvix/castore", "@tvix/store", "@tvix/grpc"],
    why: "a composition puts stores together; what is done with them is chosen by the applications",
    layers: COMPOSITION_LAYERS,
  },
  {
    name: "@tvix/mount",
    mayImport: ["@tvix/castore", "@tvix/store", "@tvix/fuse"],
    why: "an application composes the libraries; messages are the business of their wire layers",
  },
  {
    name: "@tvix/daemon",
    mayImport: ["@tvix/castore", "@tvix/store", "@tvix/grpc", "@tvix/composition"],
    why: "an application composes the libraries; messages are the business of their wire layers",
  },
  {
    name: "@tvix/cli",
    mayImport: [
      "@tvix/castore",
      "@tvix/store",
      "@tvix/grpc",
      "@tvix/composition",
      "@tvix/daemon",
      "@tvix/mount",
    ],
    why: "the command dispatches to the other applications; messages are the business of wire layers",
  },
  {
    name: "@tvix/bench",
    mayImport: [
      "@tvix/protos",
      "@tvix/castore",
      "@tvix/store",
      "@tvix/fuse",
      "@tvix/grpc",
      "@tvix/cli",
    ],
    why: "benchmarks measure what users get",
  },
  {
    name: "@tvix/e2e",
    isTestCode: true,
    mayImport: [
      "@tvix/protos",
      "@tvix/castore",
      "@tvix/store",
      "@tvix/fuse",
      "@tvix/grpc",
      "@tvix/cli",
      "@tvix/bench",
    ],
    why: "end-to-end tests see what users get",
  },
  {
    name: "@tvix/tools",
    mayImport: [],
    why: "the checks must run before and without what they check",
  },
];
