import { type IncomingHttpHeaders, request } from "node:http";

/** An answer with all of its body. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** How long an answer may take to come, or to go on. */
const ANSWER_MS = 30_000;

export interface HttpOptions {
  readonly method?: string;
  readonly body?: Uint8Array;
}

/** Sends a request and reads its answer. The path goes out as it is. */
export async function http(
  baseUrl: string,
  path: string,
  { method = "GET", body }: HttpOptions = {},
): Promise<HttpAnswer> {
  const { hostname: host, port } = new URL(baseUrl);
  return await new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-length": body.byteLength };
    const sent = request({ host, port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        const { statusCode: status = 0, headers: received } = response;
        resolve({ status, headers: received, text: Buffer.concat(chunks).toString("utf8") });
      });
    });
    sent.once("error", reject);
    sent.setTimeout(ANSWER_MS, () => {
      sent.destroy(new Error(`No answer to ${method} ${path}`));
    });
    sent.end(body);
  });
}

/** How an upload breaks off. */
export type Cut = "reset" | "end" | "chunked";

/** Begins to upload `body`, says that all of it will come, and goes away after `length` bytes. */
export async function cutUpload(
  baseUrl: string,
  path: string,
  { body, length, cut }: { readonly body: Uint8Array; readonly length: number; readonly cut: Cut },
): Promise<void> {
  const { hostname: host, port } = new URL(baseUrl);
  const framing =
    cut === "chunked" ? { "transfer-encoding": "chunked" } : { "content-length": body.byteLength };
  await new Promise<void>((resolve) => {
    const sent = request({ host, port, method: "PUT", path, headers: framing, agent: false });
    // However it ends: the server may answer before, or reset the connection itself.
    sent.once("close", resolve);
    sent.on("error", () => {});
    sent.on("response", (response) => response.resume());
    sent.flushHeaders();
    const goAway = (): void => {
      if (cut === "end") sent.socket?.end();
      else sent.socket?.destroy();
    };
    if (length === 0) sent.once("socket", (socket) => socket.once("connect", goAway));
    else sent.write(body.subarray(0, length), goAway);
  });
}
