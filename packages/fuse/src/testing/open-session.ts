import type { FileSystem } from "../file-system.js";
import { Session, type SessionOptions } from "../session/session.js";
import { FakeKernel } from "./fake-kernel.js";
import { MemoryChannel } from "./memory-channel.js";

/** A session over memory. */
export interface OpenSession {
  readonly kernel: FakeKernel;
  readonly channel: MemoryChannel;
  readonly session: Session;
  /** What serve() returned. */
  readonly served: Promise<void>;
}

/** A session that waits for INIT. */
export function startSession(fileSystem: FileSystem, options?: SessionOptions): OpenSession {
  const channel = new MemoryChannel();
  const session = new Session(channel, fileSystem, options);
  return { kernel: new FakeKernel(channel), channel, session, served: session.serve() };
}

/** A session with a kernel that has connected. */
export async function openSession(
  fileSystem: FileSystem,
  options?: SessionOptions,
): Promise<OpenSession> {
  const opened = startSession(fileSystem, options);
  await opened.kernel.init();
  return opened;
}
