import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ReveilleError } from '../errors.ts';
import { askRack, type LabRequest, type LabStatus, listenAt } from './control.ts';
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

/** What sockaddr_un holds, without its NUL. */
const LONGEST_SOCKET = 107;

/**
 * Sets up a rack with a server in it and holds it until it is asked to come down. `onUp` is called once all stands.
 * Throws LAB_FAILED if a rack of this state folder stands already.
 */
export async function holdRack(
  rack: Rack,
  folders: { readonly site: string; readonly state: string },
  onUp: (status: LabStatus) => void,
): Promise<void> {
  const socket = labSocket(folders.state);
  if (await askRack(socket, { op: 'status' })) {
    throw new ReveilleError('LAB_FAILED', `a rack of ${folders.state} stands already`, {
      hint: 'Take it down first: reveille lab down',
    });
  }
  await mkdir(labFolder(folders.state), { recursive: true });
  await rm(socket, { force: true });

  const open = await openRack(rack, { folder: labFolder(folders.state) });
  let comeDown = () => {};
  const toldDown = new Promise<void>((resolve) => {
    comeDown = resolve;
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, comeDown);
  try {
    const server = await open.startServer(folders);
    const control = await listenAt(socket, async (request) => {
      await act(open, request);
      if (request.op === 'down') {
        await server.stop();
        await open.close();
        await rm(socket, { force: true });
        setImmediate(comeDown);
      }
      return statusOf(open, folders);
    });
    onUp(statusOf(open, folders));
    await toldDown;
    control.close();
    await server.stop();
  } finally {
    await open.close();
    await rm(socket, { force: true });
  }
}

async function act(open: OpenRack, request: LabRequest): Promise<void> {
  if (!('names' in request)) return;
  const names = request.names.length > 0 ? request.names : open.rack.machines.map((machine) => machine.name);
  // A name that the rack does not have leaves all machines as they are.
  for (const name of names) open.isOn(name);
  for (const name of names) {
    if (request.op === 'boot') await open.boot(name);
    else if (request.op === 'reset') await open.reset(name);
    else await open.powerOff(name);
  }
}

function statusOf(open: OpenRack, folders: { readonly site: string; readonly state: string }): LabStatus {
  return {
    ...folders,
    accelerator: open.accelerator,
    pid: process.pid,
    insidePid: open.pid,
    machines: open.rack.machines.map((machine) => ({
      name: machine.name,
      on: open.isOn(machine.name),
      macs: machine.nics.map((nic) => nic.mac),
      console: open.console(machine.name),
    })),
  };
}
