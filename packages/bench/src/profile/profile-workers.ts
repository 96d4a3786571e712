// Loaded by --import before a program that is profiled: hands the profiler's options on to its worker
// threads, which are started without any options of the program. A thread writes its own profile when
// it ends.
import { syncBuiltinESMExports } from "node:module";
import threads, { type WorkerOptions } from "node:worker_threads";

const profiler = process.execArgv.filter((option) => option.startsWith("--cpu-prof"));

class ProfiledWorker extends threads.Worker {
  constructor(url: string | URL, options: WorkerOptions = {}) {
    super(url, { ...options, execArgv: [...(options.execArgv ?? []), ...profiler] });
  }
}

Object.assign(threads, { Worker: ProfiledWorker });
syncBuiltinESMExports();
