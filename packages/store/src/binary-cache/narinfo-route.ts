import { getNarinfo } from "./narinfo-get.js";
import { putNarinfo } from "./narinfo-put.js";
import { BASE32, type Route } from "./route.js";

/** What is known of a store path, by the hash in it. */
export const NARINFO_ROUTE: Route = {
  name: "narinfo",
  pattern: new RegExp(`^/(${BASE32}{32})\\.narinfo$`),
  get: getNarinfo,
  put: putNarinfo,
};
