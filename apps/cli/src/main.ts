import { homedir } from "node:os";
import { isatty } from "node:tty";
import { rawWords } from "./args/raw-words.js";
import { abortOnInterrupt, InterruptedError } from "./interrupt.js";
import { Diagnostics } from "./io/diagnostics.js";
import { openErrorStream } from "./io/error-stream.js";
import { FdSink } from "./io/fd-sink.js";
import { Output } from "./io/output.js";
import { run } from "./run.js";

// Neither process.stdout nor process.stderr is touched, see FdSink and openErrorStream().
const signal = abortOnInterrupt();
const sink = new FdSink(1, signal);
const status = await run(() => rawWords(process.argv), {
  env: process.env,
  homeDirectory: homedir(),
  isRoot: process.geteuid?.() === 0,
  stdout: new Output(sink, isatty(1)),
  stderr: new Diagnostics(openErrorStream(), process.env["TERM"] === "dumb"),
  signal,
});
// An ordinary exit waits for a write that its reader holds back. Ending by the signal does not.
if (sink.isBlocked && signal.reason instanceof InterruptedError) {
  process.kill(process.pid, signal.reason.signalName);
} else {
  // Nothing is left to wait for: a forgotten handle must not keep the process alive.
  process.exit(status);
}
