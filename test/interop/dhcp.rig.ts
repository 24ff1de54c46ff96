import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BootAnswer } from '../../src/boot/client.ts';
import type { LeaseStore } from '../../src/dhcp/leaseStore.ts';
import { type DhcpServer, startDhcpServer } from '../../src/dhcp/server.ts';
import type { DhcpSite } from '../../src/dhcp/site.ts';
import { networkOf, siteOf } from '../../src/dhcp/testing/fixture.ts';
import type { Happening } from '../../src/model/event.ts';
import type { Lease } from '../../src/model/lease.ts';
import { interfaceAddresses } from '../../src/net/interfaces.ts';
import { withServers } from '../../src/site/servers.ts';
import { ip, mac, nodeOf } from '../../src/site/testing/fixture.ts';

/** A bridge `br0` with a DHCP server in this namespace, and machines on it, each in a namespace of its own with an `eth0`. */

export const NODE_MAC = mac('52:54:00:00:00:51');

/** Node01 has 10.0.0.51; node02 draws from its network's pool; strangers are given addresses of the other network. */
export function rackSite(leaseSeconds = 7200, dhcp: Partial<DhcpSite['dhcp']> = {}): DhcpSite {
  const rack = networkOf('rack', '10.0.0.0/24', [['10.0.0.200-10.0.0.209', 'known']], {
    leaseSeconds,
    dns: [ip('10.0.0.3')],
    ntp: [ip('10.0.0.4')],
    domain: 'rack.example',
    search: ['rack.example', 'example.org'],
    mtu: 1400,
    routes: [
      { to: { base: ip('10.1.0.0'), prefix: 16 }, via: ip('10.0.0.1') },
      { to: { base: ip('0.0.0.0'), prefix: 0 }, via: ip('10.0.0.1') },
    ],
  });
  const lan = networkOf('lan', '192.168.0.0/24', [['192.168.0.111-192.168.0.119', 'unknown']], { leaseSeconds });
  const nodes = [
    nodeOf('node01', [NODE_MAC], { ip: ip('10.0.0.51'), network: 'rack' }),
    nodeOf('node02', [mac('52:54:00:00:00:52')]),
  ];
  const site = siteOf([rack, lan], nodes);
  return { ...site, dhcp: { ...site.dhcp, ...dhcp } };
}

/** What `tidy` undoes, the newest first. */
const toUndo: (() => void | Promise<void>)[] = [];

/** Ends all that a test started and takes its machines down, however it ended. */
export async function tidy(): Promise<void> {
  for (let undo = toUndo.pop(); undo; undo = toUndo.pop()) await undo();
}

export function requireTools(...tools: string[]): void {
  if (process.env.REVEILLE_ISOLATED !== '1') throw new Error('run this as: test/isolated node --test FILE');
  for (const tool of ['ip', 'tc', ...tools]) execFileSync('sh', ['-c', `command -v ${tool}`]);
}

export const sh = (line: string): string => execFileSync('sh', ['-ec', line], { encoding: 'utf8' });

export function layBridge(): void {
  sh(`ip link add br0 type bridge
    ip addr add 10.0.0.2/24 dev br0
    ip addr add 192.168.0.2/24 dev br0
    ip link set br0 up`);
}

/** Puts a machine on the bridge. Loss is a part of 1, of packets each way. */
export function addMachine(name: string, address: string, loss = 0): void {
  toUndo.push(() => removeMachine(name));
  sh(`ip netns add ${name}
    ip link add to-${name} type veth peer name eth0 netns ${name}
    ip -n ${name} link set eth0 address ${address}
    ip -n ${name} link set lo up
    ip -n ${name} link set eth0 up
    ip link set to-${name} master br0 up`);
  if (loss > 0) {
    lose(`to-${name}`, loss);
    lose('eth0', loss, `ip netns exec ${name}`);
  }
}

function removeMachine(name: string): void {
  sh(`for pid in $(ip netns pids ${name}); do kill -9 $pid || true; done
    ip link del to-${name} || true
    ip netns del ${name}`);
}

/** Drops what leaves through an interface by chance: a classic BPF filter, since not every kernel has netem. */
export function lose(device: string, part: number, inside = ''): void {
  const loadRandom = 0xfffff000 + 56;
  const threshold = Math.round(part * 2 ** 32);
  const program = `4,32 0 0 ${loadRandom},53 0 1 ${threshold},6 0 0 0,6 0 0 2,`;
  sh(`${inside} tc qdisc add dev ${device} clsact
    ${inside} tc filter add dev ${device} egress bpf da bytecode '${program}'`);
}

/** A store in memory that says what was committed. */
export function memoryStore(loaded: readonly Lease[] = []): LeaseStore & { readonly committed: Lease[] } {
  const committed: Lease[] = [];
  return {
    committed,
    load: async () => loaded,
    commit: async (leases) => {
      committed.push(...leases);
      return [];
    },
  };
}

export type Running = { readonly server: DhcpServer; readonly events: Happening[]; kinds(): string[] };

const NO_BOOT: BootAnswer = { kind: 'none', reason: { code: 'not-listed' } };

export async function serve(
  site: DhcpSite | (() => DhcpSite),
  store: LeaseStore = memoryStore(),
  boot: () => BootAnswer = () => NO_BOOT,
): Promise<Running> {
  const events: Happening[] = [];
  const server = await startDhcpServer({
    site: () => withServers(typeof site === 'function' ? site() : site, interfaceAddresses()),
    store,
    boot,
    events: (happening) => events.push(happening),
  });
  toUndo.push(() => server.close());
  return { server, events, kinds: () => events.map(({ kind }) => kind.replace('dhcp.', '')) };
}

export type Program = { readonly child: ChildProcess; output(): string; stop(signal?: NodeJS.Signals): Promise<void> };

/** Starts a program on a machine. */
export function start(machine: string, ...command: string[]): Program {
  const child = spawn('ip', ['netns', 'exec', machine, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  // Not `close`: what a program leaves behind may keep its output open.
  const ended = once(child, 'exit');
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    // dhcpcd, which is several processes, has been seen to miss the signal.
    const patience = setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE_MS);
    await ended;
    clearTimeout(patience);
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  toUndo.push(() => stop('SIGKILL'));
  return {
    child,
    output: () => output,
    stop,
  };
}

/** Runs a program on a machine to its end, `seconds` at most. */
export async function run(
  machine: string,
  seconds: number,
  ...command: string[]
): Promise<{ readonly code: number | null; readonly output: string }> {
  const program = start(machine, 'timeout', `${seconds}`, ...command);
  const [code] = await once(program.child, 'close');
  return { code, output: program.output() };
}

const STOP_PATIENCE_MS = 10_000;

/** Waits until something holds; fails with what `told` says after `seconds`. */
export async function until(what: string, seconds: number, holds: () => boolean, told = () => ''): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!holds()) {
    if (Date.now() > end) assert.fail(`${what}: not within ${seconds} s\n${told()}`);
    await sleep(50);
  }
}

export function addressesOf(machine: string): string[] {
  return [...sh(`ip -n ${machine} -4 -o addr show dev eth0`).matchAll(/inet ([0-9.]+)\//g)].map(
    ([, text]) => text ?? '',
  );
}

/**
 * A script for dhclient, udhcpc or dhcpcd that gives eth0 the address and notes what it was told, in place of the
 * machine's own scripts, which would rewrite this machine's /etc.
 */
export function clientScript(path: string, notes: string): string {
  writeFileSync(
    path,
    `#!/bin/sh
# dhclient: $reason and $new_*; udhcpc: $1 and bare names
set -e
case "\${reason:-$1}" in
  BOUND|RENEW|REBIND|REBOOT)
    ip addr replace "$new_ip_address/\${new_subnet_mask:-24}" dev eth0 ;;
  bound|renew)
    ip addr replace "$ip/$mask" dev eth0 ;;
  PREINIT)
    ip link set eth0 up ;;
  EXPIRE|FAIL|RELEASE|STOP|deconfig)
    ip addr flush dev eth0 ;;
esac
# In one piece: who waits for its first line reads the rest too.
{ echo "== \${reason:-$1}"; env; } > ${notes}.$$
cat ${notes}.$$ >> ${notes}
rm ${notes}.$$
`,
  );
  chmodSync(path, 0o755);
  return path;
}

/**
 * systemd-networkd on eth0 with `network` as its configuration (for printf), its log on standard output. `beside` is a line of shell
 * that runs before it. In what it takes for a container it does not wait for udev; the folders are those that systemd makes for it.
 */
export function networkdCommand(network: string, beside = ''): readonly string[] {
  return [
    'sh',
    '-ec',
    `mount -t tmpfs tmpfs /run
     mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases
     chown -R systemd-network /run/systemd/netif
     echo docker > /run/systemd/container
     mount -o remount,ro /sys
     printf '${network}' > /run/systemd/network/10-eth0.network
     ${beside}
     SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console exec /lib/systemd/systemd-networkd`,
  ];
}
