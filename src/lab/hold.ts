import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ReveilleError } from '../errors.ts';
import { tryLock } from '../lock.ts';
import { type LabBmc, startBmcs } from './bmcs.ts';
import { type CloudStatus, type LabRequest, type LabStatus, listenAt } from './control.ts';
import { type OpenRack, openRack } from './open.ts';
import type { Rack } from './rack.ts';

/** Where a rack of this state folder keeps its consoles, logs and socket. */
export function labFolder(state: string): string {
  return join(state, 'lab');
}

/** The Unix socket at which the rack of this state folder is asked. */
export function labSocket(state: string): string {
  const path = join(labFolder(state), 'lab.sock');
  if (Buffer.byteLength(path) <= LONGEST_SOCKET) return path;
  throw new ReveilleError('LAB_FAILED', `the state folder's path is too long for a Unix socket: ${path}`, {
    hint: `Choose a state folder whose path has at most ${LONGEST_SOCKET - '/lab/lab.sock'.length} bytes.`,
  });
}

/** The size of a path in sockaddr_un, without its NUL. */
const LONGEST_SOCKET = 107;

/** The folders of what a rack serves and stores. */
export type Folders = { readonly site: string; readonly state: string };

/** A rack with a server in it, and perhaps the controller of a cloud. */
export type Held = { readonly rack: OpenRack; readonly cloud?: () => CloudStatus; close(): Promise<void> };

/** Sets a rack up with a server and BMCs in it. */
export async function openWithServer(rack: Rack, bmcs: readonly LabBmc[], folders: Folders): Promise<Held> {
  const open = await openRack(rack, { folder: labFolder(folders.state) });
  try {
    await startBmcs(open, bmcs, { folder: labFolder(folders.state), socket: labSocket(folders.state) });
    const server = await open.startServer(folders);
    const close = async () => {
      await server.stop();
      await open.close();
    };
    return { rack: open, close };
  } catch (error) {
    await open.close();
    throw error;
  }
}

/**
 * Sets up what `open` opens, and holds it until a request takes it down. `open` reports its steps; `onUp` is called once all is
 * up; `unwanted` ends the set-up. Throws LAB_FAILED if a rack of this state folder exists already.
 */
export async function holdRack(
  folders: Folders,
  open: (report: (doing: string) => void) => Promise<Held>,
  { onUp, unwanted }: { readonly onUp: (status: LabStatus) => void; readonly unwanted: AbortSignal },
): Promise<void> {
  const socket = labSocket(folders.state);
  await mkdir(labFolder(folders.state), { recursive: true });
  const lock = tryLock(join(labFolder(folders.state), 'lab.lock'));
  if (!lock) {
    throw new ReveilleError('LAB_FAILED', `a rack of ${folders.state} stands already, or is being set up`, {
      hint: 'Take it down first: reveille lab down',
    });
  }
  // Left behind by a rack that was killed.
  await rm(socket, { force: true });

  let doing = 'setting the rack up';
  let held: Held | undefined;
  const down = new AbortController();
  const comeDown = () => {
    if (down.signal.aborted) return;
    down.abort();
    if (!held) endOwnGroup();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, comeDown);
  unwanted.addEventListener('abort', comeDown);
  if (unwanted.aborted) comeDown();

  const status = () => (held ? statusOf(held, folders) : { ...folders, pid: process.pid, doing, machines: [] });
  const control = await listenAt(socket, async (request) => {
    if (request.op === 'down') {
      const before = status();
      comeDown();
      await gone.catch(() => {});
      return before;
    }
    if ('names' in request) {
      if (!held) throw new ReveilleError('LAB_FAILED', `the rack is still being set up: ${doing}`);
      await act(held.rack, request);
    }
    return status();
  });
  const stand = async () => {
    try {
      down.signal.throwIfAborted();
      held = await open((words) => {
        doing = words;
      });
      if (!down.signal.aborted) {
        onUp(status());
        await once(down.signal, 'abort');
      }
      await held.close();
    } catch (error) {
      if (held || !down.signal.aborted) throw error;
      throw new ReveilleError('LAB_FAILED', 'the rack was taken down while it was being set up', {
        cause: error,
      });
    } finally {
      // In this order: after it, another process may take the socket's name and the lock.
      control.close();
      await rm(socket, { force: true });
      lock.release();
    }
  };
  const gone = stand();
  await gone;
}

/**
 * Ends what the set-up started: it is in the process group that this process leads. This process gets the signal too and ignores
 * it.
 */
function endOwnGroup(): void {
  try {
    process.kill(-process.pid, 'SIGTERM');
  } catch (error) {
    // Started by hand, a process may lead no group.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function act(open: OpenRack, request: Extract<LabRequest, { readonly names: unknown }>): Promise<void> {
  const names = request.names.length > 0 ? request.names : open.rack.machines.map((machine) => machine.name);
  // An unknown name leaves all machines as they are.
  for (const name of names) open.isOn(name);
  for (const name of names) {
    if (request.op === 'boot') await open.boot(name);
    else if (request.op === 'reset') await open.reset(name);
    else await open.powerOff(name);
  }
}

function statusOf({ rack, cloud }: Held, folders: Folders): LabStatus {
  return {
    ...folders,
    pid: process.pid,
    accelerator: rack.accelerator,
    insidePid: rack.pid,
    machines: rack.rack.machines.map((machine) => ({
      name: machine.name,
      on: rack.isOn(machine.name),
      macs: machine.nics.map((nic) => nic.mac),
      console: rack.console(machine.name),
    })),
    ...(cloud === undefined ? {} : { cloud: cloud() }),
  };
}
