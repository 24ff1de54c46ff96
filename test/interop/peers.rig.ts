import { type ChildProcess, type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseIpv4 } from '../../src/model/ipv4.ts';
import { manifestFiles } from '../../src/node/bundle.ts';
import { openCredentials } from '../../src/node/credentials.ts';
import { Identities } from '../../src/node/identity.ts';
import { nodeBundle } from '../../src/node/nodeBundle.ts';
import { openPeers } from '../../src/node/peers.ts';
import { SiteSecrets } from '../../src/node/siteSecrets.ts';
import { createRenderer } from '../../src/node/templates.ts';
import { withSite } from '../../src/node/testing/renderFixture.ts';
import { emptyStore } from '../../src/state/testing/fakes.ts';

// Nodes without machines: each is a network, mount, process and host name namespace of this machine, on one wire, with what its bundle
// lays over this machine's /etc.

/** Whether files can be given to those users here: an ordinary user's namespace has nobody but its root. */
export function hasUsers(): boolean {
  const ranges = readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n');
  return ranges.some((range) => {
    const [first = 0, , count = 0] = range.trim().split(/ +/).map(Number);
    return first <= NOVA && NOVA < first + count;
  });
}

/** The accounts of Debian's packages of Nova and libvirt, by the numbers that those give them. */
const NOVA = 64060;
const LIBVIRT_QEMU = 64055;
const KVM = 64050;
const LIBVIRT = 64056;
const ACCOUNTS = {
  passwd: `nova:x:${NOVA}:${NOVA}::/var/lib/nova:/bin/sh\nlibvirt-qemu:x:${LIBVIRT_QEMU}:${KVM}::/var/lib/libvirt:/usr/sbin/nologin\n`,
  group: `nova:x:${NOVA}:\nkvm:x:${KVM}:\nlibvirt-qemu:x:${LIBVIRT_QEMU}:libvirt-qemu\nlibvirt:x:${LIBVIRT}:nova\n`,
  // Locked, as the packages leave it: keys are let in all the same.
  shadow: 'nova:!:19675::::::\nlibvirt-qemu:!:19675::::::\n',
};
const NUMBERS: Readonly<Record<string, number>> = { root: 0, nova: NOVA, 'libvirt-qemu': LIBVIRT_QEMU };

export type PeerNode = {
  readonly name: string;
  readonly ip: string;
  /** Runs a shell line on the node, as root unless another user is named; gives what it printed. Throws with what it said. */
  run(line: string, user?: string): string;
  /** Starts a program on the node, as root; it ends with the rig. */
  spawn(line: string): ChildProcessWithoutNullStreams;
  /** Starts a daemon on the node; it ends with the rig. Resolves once `ready` succeeds there. */
  start(line: string, ready: string): Promise<void>;
};

export type Peers = AsyncDisposable & { readonly nodes: readonly PeerNode[] };

/** Brings up nodes of `site` (the text of its site.yaml as an object), by name. */
export async function peerNodes(site: object, names: readonly string[]): Promise<Peers> {
  const folder = mkdtempSync(join(tmpdir(), 'reveille-peers-'));
  const children: ChildProcess[] = [];
  /** `ip netns exec` and `unshare` become the shell: it is in the node's namespaces under their number. */
  const pids = new Map<string, number>();
  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });
  ip('link', 'add', 'wire', 'type', 'bridge');
  ip('link', 'set', 'wire', 'up');

  const nodes = await withSite({ 'site.yaml': JSON.stringify(site) }, async (loaded) => {
    const identities = new Identities(emptyStore().identities);
    const means = {
      secrets: new SiteSecrets(() => loaded, {}),
      identities,
      credentialsOf: openCredentials(emptyStore().certificates, { scratch: folder, now: Date.now }),
      peersOf: openPeers(identities),
      renderer: createRenderer(),
    };
    const server = { ip: parseIpv4('10.0.0.2') ?? fail('no address'), httpPort: 8080 };
    return Promise.all(
      names.map(async (name) => {
        const node = loaded.nodes.get(name) ?? fail(`no node ${name}`);
        const root = join(folder, name);
        const { manifest, blobs } = await nodeBundle(loaded, node, { inventory: undefined, server }, means);
        for (const { kind, mode, owner, group, blob, path } of manifestFiles(manifest)) {
          if (kind === 'link') continue;
          const at = join(root, path);
          mkdirSync(dirname(at), { recursive: true });
          writeFileSync(at, blobs.get(blob) ?? fail(`no content of ${path}`));
          chmodSync(at, Number.parseInt(mode, 8));
          chownSync(at, NUMBERS[owner] ?? fail(`no user ${owner}`), NUMBERS[group] ?? fail(`no group ${group}`));
        }
        for (const [file, lines] of Object.entries(ACCOUNTS)) {
          const own = readFileSync(join('/etc', file), 'utf8').replace(/^(nova|libvirt|libvirt-qemu|kvm):.*\n/gm, '');
          mkdirSync(join(root, 'etc'), { recursive: true });
          writeFileSync(join(root, 'etc', file), own + lines);
        }
        return { name, ip: addressIn(manifest, blobs, name), root };
      }),
    );
  });

  for (const { name, ip: address, root } of nodes) {
    ip('netns', 'add', name);
    ip('link', 'add', `to-${name}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('link', 'set', `to-${name}`, 'master', 'wire', 'up');
    const entered = ['netns', 'exec', name, 'unshare', '--mount', '--uts', 'sh', '-euc', boot(name, address, root)];
    const child = spawn('ip', entered, { stdio: 'inherit' });
    children.push(child);
    pids.set(name, child.pid ?? fail('no process'));
    for (let i = 0; !existsSync(join(root, 'up')); i++) {
      if (i === 200 || child.exitCode !== null) throw new Error(`${name} did not come up`);
      await delay(50);
    }
  }

  return {
    nodes: nodes.map(({ name, ip: address }) => {
      const inside = (line: string, user = 'root') => {
        const as =
          user === 'root' ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--reset-env'];
        return ['-t', String(pids.get(name)), '--mount', '--net', '--uts', ...as, 'sh', '-c', line];
      };
      const begin = (line: string) => {
        const child = spawn('nsenter', inside(`exec ${line}`), { stdio: ['pipe', 'pipe', 'pipe'] });
        children.push(child);
        // Shown where a test fails, as everything that one prints; a pipe that nobody reads would halt a daemon.
        child.stderr.pipe(process.stderr, { end: false });
        return child;
      };
      return {
        name,
        ip: address,
        run(line, user) {
          // Not all on one stream: what ssh warns of is no part of an answer.
          try {
            return execFileSync('nsenter', inside(line, user), { encoding: 'utf8', timeout: 60_000, stdio: 'pipe' });
          } catch (error) {
            const { stdout, stderr } = error as { stdout: string; stderr: string };
            throw new Error(`${name}: ${line}\n${stdout}${stderr}`);
          }
        },
        spawn: begin,
        async start(line, ready) {
          const child = begin(line);
          for (let i = 0; ; i++) {
            try {
              execFileSync('nsenter', inside(ready), { timeout: 10_000, stdio: 'pipe' });
              return;
            } catch (error) {
              if (i === 100 || child.exitCode !== null)
                throw new Error(`${name}: ${line} is not ready`, { cause: error });
            }
            await delay(100);
          }
        },
      };
    }),
    [Symbol.asyncDispose]: async () => {
      const ended = children.map(
        (child) => new Promise((end) => (child.exitCode === null ? child.once('exit', end) : end(0))),
      );
      for (const child of children.reverse()) child.kill('SIGKILL');
      await Promise.all(ended);
      for (const name of names) ip('netns', 'delete', name);
      ip('link', 'delete', 'wire');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What a node runs as its first process: its own /etc, /run and /var, its name and address; then it waits. */
function boot(name: string, address: string, root: string): string {
  return `
    ip link set lo up
    ip address add ${address}/24 dev eth0
    ip link set eth0 up
    hostname ${name}
    mount -t tmpfs tmpfs /mnt
    cp -a /etc /mnt/etc
    rm -rf /mnt/etc/ssh/ssh_host_* /mnt/etc/pki
    cp -a ${root}/etc/. /mnt/etc
    mount --bind /mnt/etc /etc
    for folder in /run /var/lib /var/log /var/cache; do mount -t tmpfs -o mode=0755 tmpfs $folder; done
    mkdir -p /run/sshd /run/libvirt /var/lib/nova/instances /var/log/libvirt/qemu /var/cache/libvirt/qemu
    [ ! -d ${root}/var/lib/nova ] || cp -a ${root}/var/lib/nova/. /var/lib/nova
    chown nova:nova /var/lib/nova /var/lib/nova/instances
    : >${root}/up
    exec sleep infinity`;
}

/** The node's address, as its own /etc/hosts has it. */
function addressIn(manifest: string, blobs: ReadonlyMap<string, Uint8Array>, name: string): string {
  const hosts = manifestFiles(manifest).find(({ path }) => path === '/etc/hosts');
  const text = Buffer.from(blobs.get(hosts?.blob ?? '') ?? fail('no /etc/hosts')).toString();
  return new RegExp(`^(\\S+)\\t.*\\b${name}$`, 'm').exec(text)?.[1] ?? fail(`${name} has no address`);
}

function fail(words: string): never {
  throw new Error(words);
}
