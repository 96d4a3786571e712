import { formatListenAddress, isLoopback } from "./listen-address.js";
import type { SettingKey, Settings } from "./settings.js";

/**
 * The rules that several settings break together.
 *
 * @param origin - where a setting was found, for the message
 */
export function brokenRules(settings: Settings, origin: (key: SettingKey) => string): string[] {
  const exposed = settings.listen.filter(({ host }) => !isLoopback(host));
  return [
    ...brokenByStore(settings, origin),
    ...needs(settings, origin, "tls.cert", "tls.key"),
    ...needs(settings, origin, "tls.key", "tls.cert"),
    ...needs(settings, origin, "tls.client-ca", "tls.cert"),
    ...exposed.flatMap((address) => {
      const rule = brokenByExposure(settings, formatListenAddress(address));
      return rule === undefined ? [] : [`${origin("listen")}: ${rule}`];
    }),
  ];
}

function brokenByStore(
  { store, composition }: Settings,
  origin: (key: SettingKey) => string,
): string[] {
  if (store === undefined) return [];
  if (composition !== undefined) {
    return [`${origin("store")}: store and composition both say what is served: give one of them`];
  }
  const isDirectory = /^local:[^?]*$/.test(store);
  return isDirectory ? [`${origin("store")}: a directory is served by data-dir`] : [];
}

function needs(
  settings: Settings,
  origin: (key: SettingKey) => string,
  key: SettingKey,
  other: SettingKey,
): string[] {
  if (settings[key] === undefined || settings[other] !== undefined) return [];
  return [`${origin(key)}: ${key} needs ${other}`];
}

/**
 * Why an address that other machines can reach must not be served with these settings; `undefined`
 * when it may.
 */
export function brokenByExposure(settings: Settings, address: string): string | undefined {
  if (settings.insecure) return undefined;
  const missing = [
    ...(settings["tls.cert"] === undefined ? ["TLS (tls.cert, tls.key)"] : []),
    ...(isAuthenticated(settings) ? [] : ["authentication (tokens or tls.client-ca)"]),
  ];
  if (missing.length === 0) return undefined;
  return `other machines can reach ${address}, which takes ${missing.join(" and ")}; set insecure to go without`;
}

function isAuthenticated(settings: Settings): boolean {
  return settings.tokens !== undefined || settings["tls.client-ca"] !== undefined;
}

/** What `insecure` settings open to everyone who can reach the addresses, to be told at each start. */
export function exposureWarnings(settings: Settings): readonly string[] {
  const strict = { ...settings, insecure: false };
  return settings.listen.flatMap((address) => {
    const text = formatListenAddress(address);
    const isOpen = !isLoopback(address.host) && brokenByExposure(strict, text) !== undefined;
    return isOpen ? [`other machines can reach ${text} without TLS or without authentication`] : [];
  });
}
