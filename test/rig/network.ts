import { execFileSync } from 'node:child_process';
import { parseIpv4 } from '../../src/model/ipv4.ts';
import { parseMac } from '../../src/model/mac.ts';

/**
 * The server's machine is the namespace `server`, with the bridges br0 (10.0.0.2/12) and br1 (10.20.0.2/24, a second wire).
 * This namespace is all other machines: its switches `rack` and `guests` are the two wires, and each known machine has a
 * namespace of its own on one of them.
 */

export const SERVER_IP = ip('10.0.0.2');
export const RELAY_IP = ip('10.0.0.9');
/** This namespace's own address on the rack's wire. */
export const OWN_IP = ip('10.0.0.100');
/** The ports of the switches behind which the server is: what comes in there is what the server sent. */
export const FROM_SERVER = { rack: 'to-server0', guests: 'to-server1' } as const;
/** Programs are started there by `nsenter`, which leaves the mounts as they are here. */
export const ON_SERVER = ['nsenter', '--net=/run/netns/server'] as const;

export const sh = (line: string): string => execFileSync('sh', ['-ec', line], { encoding: 'utf8', stdio: 'pipe' });

export function ip(text: string) {
  const parsed = parseIpv4(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

export function mac(text: string) {
  const parsed = parseMac(text);
  if (parsed === undefined) throw new Error(`${text} is no MAC address`);
  return parsed;
}

/** Lays both wires. Throws outside of `test/isolated` and where a tool is missing. */
export function layNetwork(tools: readonly string[]): void {
  if (process.env.REVEILLE_ISOLATED !== '1') throw new Error('run this through test/isolated');
  for (const tool of ['ip', 'nsenter', ...tools]) sh(`command -v ${tool}`);
  sh(`ip netns add server
    ip -n server link set lo up
    ip netns exec server sysctl -qw net.ipv4.neigh.default.gc_thresh3=8192 || true`);
  for (const [number, wire] of ['rack', 'guests'].entries())
    sh(`ip link add ${wire} type bridge mcast_snooping 0
      ip link set ${wire} up
      ip link add to-server${number} type veth peer name eth${number} netns server
      ip link set to-server${number} master ${wire} up`);
  sh('ip addr add 10.0.0.100/12 dev rack; ip addr add 10.20.0.100/24 dev guests');
  layServerBridge(0);
  layServerBridge(1);
  // Networks behind relays are reached through the relay.
  sh('ip -n server route add 10.200.0.0/16 via 10.0.0.9; ip addr add 10.0.0.9/12 dev rack');
}

/** Takes all of it down. */
export function clearNetwork(): void {
  for (const name of machines.splice(0)) sh(`ip netns del ${name}`);
  sh('ip netns del server; ip link del rack; ip link del guests');
}

const machines: string[] = [];

/** Makes one of the server's bridges, as at its boot, and after it was deleted. */
export function layServerBridge(number: 0 | 1): void {
  const address = ['10.0.0.2/12', '10.20.0.2/24'][number];
  sh(`ip -n server link add br${number} type bridge mcast_snooping 0
    ip -n server link set eth${number} master br${number} up
    ip -n server addr add ${address} dev br${number}
    ip -n server link set br${number} up`);
}

/** The server's Ethernet address on the rack's wire. */
export function serverMac() {
  return mac(sh('ip netns exec server cat /sys/class/net/br0/address').trim());
}

/** Puts a machine on a wire: a namespace with eth0, which has `address` (`10.0.0.51/12`) if one is given. */
export function addMachine(name: string, macText: string, address?: string, wire: 'rack' | 'guests' = 'rack'): void {
  machines.push(name);
  sh(`ip netns add ${name}
    ip link add to-${name} type veth peer name eth0 netns ${name}
    ip -n ${name} link set eth0 address ${macText}
    ip -n ${name} link set lo up
    ip -n ${name} link set eth0 up
    ip link set to-${name} master ${wire} up`);
  if (address !== undefined) sh(`ip -n ${name} addr add ${address} dev eth0`);
}
