/**
 * `tvix daemon`: the store served over gRPC, Connect and HTTP.
 *
 * @module
 */
export { ConfigError } from "./config/config-error.js";
export type { Suggest } from "./config/layer.js";
export { type LoadedSettings, loadSettings, type SettingSources } from "./config/load.js";
export { printSettings } from "./config/print.js";
export type { LogFormat, LogLevel, SettingKey, Settings } from "./config/settings.js";
export { type DaemonHost, runDaemon } from "./run-daemon.js";
export { StoreInUseError } from "./store/open-store.js";
