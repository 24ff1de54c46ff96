import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { z } from 'zod';
import type { CloudSession } from '../../cloud/session.ts';
import { read } from '../../cloud/view.ts';
import { ReveilleError } from '../../errors.ts';
import { cpio } from '../../image/cpio.ts';
import type { ShelvedImage } from '../../image/shelf.ts';

const INSTANCE = join(import.meta.dirname, 'instance');
/** The last byte of an instance's MAC address, and of its IPv4 address, is its number. */
const NETWORK = '10.77.0.0/24';

/** What instances of the lab cloud are made of, as ids of the cloud. */
export type CloudResources = { readonly flavor: string; readonly image: string; readonly network: string };

/** An instance: `host` is where it runs, absent while it runs on none. */
export type Instance = {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly host?: string;
  readonly task?: string;
  readonly fault?: string;
};

const withId = z.object({ id: z.string() });
const instanceSchema = z.object({
  server: z.object({
    id: z.string(),
    name: z.string(),
    status: z.string(),
    'OS-EXT-SRV-ATTR:host': z.string().nullish(),
    'OS-EXT-STS:task_state': z.string().nullish(),
    fault: z.object({ message: z.string() }).optional(),
  }),
});

/** What a kernel may leave out where each of its instructions is emulated twice: ACPI alone takes a third of its start. */
const QUICK = [
  'quiet acpi=off mitigations=off nokaslr init_on_alloc=0 cryptomgr.notests audit=0 tsc=reliable no_timer_check ipv6.disable=1',
  'initcall_blacklist=crypto_kdf108_init,init_encrypted,init_kprobe_trace',
].join(' ');

/**
 * Makes a flavor, a network over VXLAN and an image with the kernel and ramdisk of a node's squashfs image, with a first process
 * of its own. `peers` are the numbers of all instances: each reports which of them it reaches.
 */
export async function makeResources(
  session: CloudSession,
  from: ShelvedImage,
  peers: readonly number[],
): Promise<CloudResources> {
  const post = async (service: 'compute' | 'network' | 'image', path: string, key: string, body: object) => {
    const answer = await session.call(service, path, { method: 'POST', body: key === '' ? body : { [key]: body } });
    return read(withId, key === '' ? answer : (answer as Record<string, unknown>)[key], service).id;
  };
  // Kernel and ramdisk too are raw: Nova starts instances of aki and ari images, and then refuses to migrate them.
  const upload = async (name: string, bytes: Uint8Array, more: object = {}) => {
    const image = { name, disk_format: 'raw', container_format: 'bare', visibility: 'public', ...more };
    const id = await post('image', '/v2/images', '', image);
    await session.call('image', `/v2/images/${id}/file`, { method: 'PUT', bytes });
    return id;
  };
  const [kernel, ramdisk] = await Promise.all([readFile(from.kernel.path), instanceRamdisk(from)]);
  const [flavor, network, image] = await Promise.all([
    post('compute', '/flavors', 'flavor', { name: `lab-${randomUUID()}`, ram: 128, vcpus: 1, disk: 0 }),
    post('network', '/v2.0/networks', 'network', { name: 'lab', mtu: 1400 }),
    (async () =>
      upload('lab', new Uint8Array(1024 * 1024), {
        kernel_id: await upload('lab-kernel', kernel),
        ramdisk_id: await upload('lab-ramdisk', ramdisk),
        os_command_line: `console=ttyS0 ${QUICK} peers=${peers.join(',')}`,
      }))(),
  ]);
  await post('network', '/v2.0/subnets', 'subnet', {
    network_id: network,
    ip_version: 4,
    cidr: NETWORK,
    enable_dhcp: false,
    gateway_ip: null,
  });
  return { flavor, image, network };
}

/** Starts instance `number`, on `host` if it is named, and waits until it is ACTIVE. Throws LAB_FAILED in the cloud's words. */
export async function launch(
  session: CloudSession,
  resources: CloudResources,
  number: number,
  { host, patienceMs = 300_000 }: { readonly host?: string; readonly patienceMs?: number } = {},
): Promise<Instance> {
  const port = await session.call('network', '/v2.0/ports', {
    method: 'POST',
    body: {
      port: {
        network_id: resources.network,
        mac_address: `fa:16:3e:00:00:${number.toString(16).padStart(2, '0')}`,
        fixed_ips: [{ ip_address: `10.77.0.${number}` }],
        port_security_enabled: false,
      },
    },
  });
  const made = await session.call('compute', '/servers', {
    method: 'POST',
    microversion: COMPUTE_HOST_VERSION,
    body: {
      server: {
        name: `instance-${number}`,
        flavorRef: resources.flavor,
        imageRef: resources.image,
        networks: [{ port: read(z.object({ port: withId }), port, 'network').port.id }],
        ...(host === undefined ? {} : { host }),
      },
    },
  });
  const { id } = read(z.object({ server: withId }), made, 'compute').server;
  return settled(session, id, patienceMs);
}

/** From this microversion on a host may be requested by name without bypassing the scheduler. */
const COMPUTE_HOST_VERSION = '2.74';

/** Live-migrates an instance to a node that the scheduler picks, its disk with it, and waits until it runs there. */
export async function migrate(session: CloudSession, id: string, patienceMs = 300_000): Promise<Instance> {
  const { host } = await instanceOf(session, id);
  await session.call('compute', `/servers/${id}/action`, {
    method: 'POST',
    microversion: LIVE_MIGRATION_VERSION,
    body: { 'os-migrateLive': { host: null, block_migration: 'auto' } },
  });
  const moved = await settled(session, id, patienceMs);
  if (moved.host !== host) return moved;
  throw new ReveilleError('LAB_FAILED', `${moved.name} is still on ${host}: its live migration failed`, {
    hint: `see nova-compute's log on ${host}`,
  });
}

/** From this microversion on `auto` decides whether the disk is copied. */
const LIVE_MIGRATION_VERSION = '2.30';

/** The instance once no task is running on it. */
export async function settled(session: CloudSession, id: string, patienceMs: number): Promise<Instance> {
  for (const deadline = Date.now() + patienceMs; ; await sleep(1000)) {
    const instance = await instanceOf(session, id);
    if (instance.status === 'ERROR') {
      throw new ReveilleError('LAB_FAILED', `${instance.name} failed: ${instance.fault ?? 'no reason is given'}`);
    }
    if (instance.status === 'ACTIVE' && instance.task === undefined) return instance;
    if (Date.now() > deadline) {
      const task = instance.task === undefined ? '' : `, ${instance.task}`;
      throw new ReveilleError(
        'LAB_FAILED',
        `${instance.name} is still ${instance.status}${task} after ${patienceMs} ms`,
      );
    }
  }
}

export async function instanceOf(session: CloudSession, id: string): Promise<Instance> {
  const { server } = read(instanceSchema, await session.call('compute', `/servers/${id}`), 'compute');
  const host = server['OS-EXT-SRV-ATTR:host'];
  const task = server['OS-EXT-STS:task_state'];
  return {
    id: server.id,
    name: server.name,
    status: server.status,
    ...(host ? { host } : {}),
    ...(task ? { task } : {}),
    ...(server.fault === undefined ? {} : { fault: server.fault.message }),
  };
}

/** The last lines of its serial console. */
export async function consoleOf(session: CloudSession, id: string, lines = 20): Promise<string> {
  const answer = await session.call('compute', `/servers/${id}/action`, {
    method: 'POST',
    body: { 'os-getConsoleOutput': { length: lines } },
  });
  return read(z.object({ output: z.string() }), answer, 'compute').output;
}

/** The last report of an instance on its console (see `instance/init`): how long it has lived, and which peers it reaches. */
export function aliveIn(console: string): { readonly seconds: number; readonly reaches: string } | undefined {
  const report = [...console.matchAll(/alive for (\d+) s, reaches: ([\d ]+|none)/g)].at(-1);
  return report && { seconds: Number(report[1]), reaches: report[2]?.trim() ?? '' };
}

/** The node's first initrd followed by files of the instance: the kernel unpacks both, and the later one overwrites. */
async function instanceRamdisk(from: ShelvedImage): Promise<Buffer> {
  const own = { init: await readFile(join(INSTANCE, 'init')), 'etc/fstab': await readFile(join(INSTANCE, 'fstab')) };
  const members = Object.entries(own).map(([path, bytes], i) => {
    const entry = { path, kind: 'file', mode: 0o755, uid: 0, gid: 0, mtime: 0, size: bytes.length } as const;
    return { entry, inode: i + 1, links: 1, content: [bytes] };
  });
  const pieces: Uint8Array[] = [];
  for await (const piece of cpio(members)) pieces.push(piece);
  const first = await readFile(from.initrd.path);
  const filling = Buffer.alloc((4 - (first.length % 4)) % 4);
  return Buffer.concat([first, filling, gzipSync(Buffer.concat(pieces))]);
}
