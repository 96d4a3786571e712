/** Codings of content that responses can have besides none, the preferred one first. */
export const CONTENT_CODINGS = ["zstd", "br", "gzip"] as const;

export type ContentCoding = (typeof CONTENT_CODINGS)[number];

/**
 * The coding to use for a client that sent `Accept-Encoding: header` (RFC 9110 §12.5.3); `undefined` for
 * none, as for clients that do not ask.
 *
 * @param available - in order of preference among those that the client likes equally
 */
export function chooseCoding(
  header: string | undefined,
  available: readonly ContentCoding[],
): ContentCoding | undefined {
  if (header === undefined) return undefined;
  const weights = parseWeights(header);
  let chosen: ContentCoding | undefined;
  let best = weights.get("identity") ?? 0;
  for (const coding of available) {
    const weight = weights.get(coding) ?? weights.get("*") ?? 0;
    if (weight > best || (weight === best && weight > 0 && chosen === undefined)) {
      chosen = coding;
      best = weight;
    }
  }
  return chosen;
}

function parseWeights(header: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const element of header.slice(0, 1024).split(",")) {
    const [name = "", ...parameters] = element.split(";").map((part) => part.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith("q="));
    const weight = quality === undefined ? 1 : Number(quality.slice(2));
    if (name !== "" && weight >= 0 && weight <= 1) weights.set(name, weight);
  }
  return weights;
}
