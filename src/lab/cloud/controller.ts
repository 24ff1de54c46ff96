import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { ReveilleError } from '../../errors.ts';
import { formatIpv4, type Ipv4 } from '../../model/ipv4.ts';
import { signalInside } from '../namespace.ts';
import { type OpenRack, tail } from '../open.ts';

/** How to reach a controller; known before it runs. */
export type Access = {
  /** A clouds.yaml with the entry `lab`, as the openstack client and our own read it. */
  readonly cloudsFile: string;
  /** The passwords that the nodes' services need. */
  readonly passwords: { readonly rabbit: string; readonly service: string };
};

/** A controller that runs beside a rack. */
export type Controller = {
  /** Keystone's URL. */
  readonly url: string;
  /** Its first process, by its pid inside the rack. */
  readonly pid: number;
  /** The folder of its daemons' logs. */
  readonly logs: string;
  /** Whether all of its daemons run: when one ends, the controller ends. */
  runs(): boolean;
  /** Ends every daemon of it. */
  stop(): Promise<void>;
};

/** Where a controller is set up. */
export type ControllerPlace = {
  /** Tree of a controller (see `controllerRoot`); read only. */
  readonly root: string;
  /** Takes the controller's changes; empty at first. */
  readonly folder: string;
  readonly address: { readonly ip: Ipv4; readonly prefix: number };
};

export type ControllerOptions = ControllerPlace & {
  readonly bridge: string;
  /** Called with the name of each service as it answers. */
  readonly onService: (name: string) => void;
};

const ENTER = join(import.meta.dirname, 'controller/enter');
const PATIENCE_MS = 180_000;

/** Empties the folder of a controller that is to run there, and writes how to reach it. */
export async function writeAccess({ root, folder, address }: ControllerPlace): Promise<Access> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const password = async (name: string) => (await readFile(join(root, 'etc/lab-cloud', name), 'utf8')).trim();
  return {
    cloudsFile: await writeClouds(folder, formatIpv4(address.ip), await password('admin')),
    passwords: { rabbit: await password('rabbit'), service: await password('service') },
  };
}

/**
 * Starts a controller on a bridge of the rack, with its folder as `writeAccess` left it, and waits until all of its services
 * answer. Throws LAB_FAILED.
 */
export async function startController(open: OpenRack, options: ControllerOptions): Promise<Controller> {
  const { root, folder, bridge, address, onService } = options;
  const logs = join(folder, 'upper/var/log');
  const where = `${formatIpv4(address.ip)}/${address.prefix}`;
  const process = open.spawn([ENTER, root, folder, where], { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = once(process, 'close');
  ended.catch(() => {});
  let words = '';
  process.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = `${words}${text}`.slice(-MOST_WORDS);
  });
  const stop = async () => {
    await signalInside(process, 'SIGKILL');
    await ended;
  };
  const patience = setTimeout(() => void stop(), PATIENCE_MS);
  try {
    if (!process.stdout || !process.stdin) throw new Error('the controller was started without pipes');
    let last = 'starting';
    let entered = '';
    for await (const line of createInterface({ input: process.stdout })) {
      const pid = /^namespace (\d+)$/.exec(line)?.[1];
      if (pid !== undefined) {
        entered = pid;
        await plugIn(open, bridge, pid);
        process.stdin.write('go\n');
        continue;
      }
      last = line;
      if (line === 'ready') break;
      onService(line);
    }
    if (last !== 'ready') {
      const log = await tail(join(logs, 'lab-cloud', `${last.split(' ').at(-1)}.log`));
      throw new ReveilleError('LAB_FAILED', `the controller did not start (${last}): ${words.trim()}\n${log}`, {
        hint: `its logs are below ${logs}`,
      });
    }
    process.stdout.resume();
    return {
      url: keystoneUrl(formatIpv4(address.ip)),
      pid: await firstInside(open, entered),
      logs,
      runs: () => process.exitCode === null && process.signalCode === null,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(patience);
  }
}

const MOST_WORDS = 4000;

/** A cable from the bridge into the controller's network namespace; `pid` is the pid inside the rack. */
async function plugIn(open: OpenRack, bridge: string, pid: string): Promise<void> {
  const lines = [
    `link add cloud-port type veth peer name cloud netns ${pid}`,
    `link set cloud-port master ${bridge} up`,
  ];
  const made = await open.exec(['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  if (made.code !== 0) {
    throw new ReveilleError('LAB_FAILED', `the controller's cable could not be laid: ${made.stderr.trim()}`);
  }
}

/** The first process of the controller's own process namespace, the only child of the one that made it. */
async function firstInside(open: OpenRack, maker: string): Promise<number> {
  const { stdout } = await open.exec(['cat', `/proc/${maker}/task/${maker}/children`]);
  return Number(stdout.trim());
}

function keystoneUrl(ip: string): string {
  return `http://${ip}:5000/v3`;
}

async function writeClouds(folder: string, ip: string, password: string): Promise<string> {
  const file = join(folder, 'clouds.yaml');
  const auth = {
    auth_url: keystoneUrl(ip),
    username: 'admin',
    password,
    project_name: 'admin',
    user_domain_name: 'Default',
    project_domain_name: 'Default',
  };
  // Only the controller itself resolves the name by which its services know each other.
  const overrides = {
    compute_endpoint_override: `http://${ip}:8774/v2.1`,
    network_endpoint_override: `http://${ip}:9696`,
    placement_endpoint_override: `http://${ip}:8778`,
    image_endpoint_override: `http://${ip}:9292`,
  };
  const lab = { auth, region_name: 'RegionOne', ...overrides };
  await writeFile(file, stringify({ clouds: { lab } }), { mode: 0o600 });
  return file;
}
