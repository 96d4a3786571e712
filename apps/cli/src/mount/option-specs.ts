import type { OptionSpecs } from "../command.js";

/** Of `tvix mount` and `tvix virtiofs`. */
export const LIST_ROOT: OptionSpecs = {
  "list-root": { summary: "Let the whole store be listed; otherwise its paths have to be known" },
};

/** What both let people say about the files they serve. */
export const SERVED_FILES: OptionSpecs = {
  "uid-gid": { value: "UID:GID", summary: "Whom all files belong to; 0:0 by default" },
  "no-xattr": { summary: "Do not show digests as extended attributes (user.tvix.castore.*)" },
  threads: {
    value: "N",
    summary: "Threads that read and verify content of a data directory; by default up to 4",
  },
};
