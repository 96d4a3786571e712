/** Types of files as browsers should take them. */

/** By what follows the last dot of a name. */
const TYPES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    // No charset: old pages say it themselves.
    html: "text/html",
    htm: "text/html",
    xhtml: "application/xhtml+xml",
    css: "text/css; charset=utf-8",
    js: "text/javascript; charset=utf-8",
    mjs: "text/javascript; charset=utf-8",
    json: "application/json",
    map: "application/json",
    xml: "application/xml",
    svg: "image/svg+xml",
    png: "image/png",
    apng: "image/apng",
    jpg: "image/jpeg",
    jpeg: "image/jpeg",
    gif: "image/gif",
    webp: "image/webp",
    avif: "image/avif",
    bmp: "image/bmp",
    ico: "image/vnd.microsoft.icon",
    woff: "font/woff",
    woff2: "font/woff2",
    ttf: "font/ttf",
    otf: "font/otf",
    mp3: "audio/mpeg",
    ogg: "audio/ogg",
    flac: "audio/flac",
    wav: "audio/wav",
    mp4: "video/mp4",
    webm: "video/webm",
    pdf: "application/pdf",
    wasm: "application/wasm",
    gz: "application/gzip",
    tgz: "application/gzip",
    zst: "application/zstd",
    xz: "application/x-xz",
    bz2: "application/x-bzip2",
    zip: "application/zip",
    tar: "application/x-tar",
  }),
);

/** For what is text and has no name that says more. */
const PLAIN_TEXT = "text/plain; charset=utf-8";

const BYTES = "application/octet-stream";

/** As many bytes of a file as {@link mediaTypeOfContent} looks at. */
export const MEDIA_TYPE_BYTES = 1024;

/** The type that a name stands for; `undefined` for names that say nothing. */
export function mediaTypeOfName(name: string): string | undefined {
  const dot = name.lastIndexOf(".");
  return dot === -1 ? undefined : TYPES.get(name.slice(dot + 1).toLowerCase());
}

/** Text or not, by the first {@link MEDIA_TYPE_BYTES} of a file, or all of a shorter one. */
export function mediaTypeOfContent(start: Uint8Array): string {
  try {
    // The end may cut a character in two: as a stream it is not at its end.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(start, { stream: true });
    return CONTROLS.test(text) ? BYTES : PLAIN_TEXT;
  } catch {
    return BYTES;
  }
}

/** Control characters that no text has; logs have escapes, so those may be there. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const CONTROLS = /[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]/;

/** Whether it pays to compress a file of that type on its way. */
export function isCompressible(type: string): boolean {
  return /^text\/|^application\/(?:json|xml|xhtml\+xml|wasm|octet-stream|x-tar)\b|\+xml\b|^font\/[ot]tf$/.test(
    type,
  );
}
