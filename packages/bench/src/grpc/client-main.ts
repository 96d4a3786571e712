/** A client in a process of its own: `client-main.js TASK`. Prints what it measured. */
import { runTask } from "./run-task.js";
import { parseTask } from "./workload.js";

const result = await runTask(parseTask(process.argv[2]));
console.log(JSON.stringify(result));
