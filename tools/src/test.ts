/** `pnpm test [FOLDER…]`: builds, then runs the tests of all packages, or of those in the folders named. */
import { failure } from "./tally.js";
import { conclude, testPackages, turbo } from "./test-command.js";
import { REPOSITORY_ROOT, readWorkspace } from "./workspace.js";

const wanted = process.argv.slice(2);
const packages = (await readWorkspace(REPOSITORY_ROOT)).filter(
  (item) => wanted.length === 0 || wanted.some((name) => item.directory.split("/").at(-1) === name),
);
if (packages.length === 0) console.log(`No package is called ${wanted.join(" or ")}`);
const built = packages.length > 0 && (await turbo(REPOSITORY_ROOT, "build", packages));
conclude(built ? await testPackages(REPOSITORY_ROOT, packages) : failure("build"));
