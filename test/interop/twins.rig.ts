import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DhcpPacket, decodePacket, encodePacket } from '../../src/dhcp/packet.ts';
import { requestOf } from '../../src/dhcp/testing/fixture.ts';
import { formatIpv4, type Ipv4, LIMITED_BROADCAST, UNSPECIFIED } from '../../src/model/ipv4.ts';
import { closeDescriptor, ETH_P_IP, receive, watchReadable } from '../../src/net/libc.ts';
import { openListening, openRawSender, type RawSender } from '../../src/net/raw.ts';
import { mac } from '../../src/site/testing/fixture.ts';

/**
 * Two wires that are alike, each with one server on an interface `lan0` of the same addresses: ours in this namespace, the
 * peer's in a namespace of its own. Of both we hold the client's end, where any packet can be sent and every answer is seen.
 */

export type ServerName = 'peer' | 'reveille';

const PEER_SPACE = 'peer';
const SERVER_MAC = mac('02:00:00:00:ff:02');
const BROADCAST_MAC = mac('ff:ff:ff:ff:ff:ff');

const sh = (line: string): string => execFileSync('sh', ['-ec', line], { encoding: 'utf8' });

/** Lays both wires. `addresses` are those of the servers, such as `10.0.0.2/24`; `beyond` are subnets behind relays. */
export function layTwins(addresses: readonly string[], beyond: readonly string[] = []): void {
  sh(`ip netns add ${PEER_SPACE}; ip -n ${PEER_SPACE} link set lo up`);
  for (const [end, inside] of [
    ['to-reveille', ''],
    ['to-peer', `-n ${PEER_SPACE}`],
  ]) {
    sh(`ip link add ${end} type veth peer name made
      ${inside === '' ? 'ip link set made name lan0' : `ip link set made netns ${PEER_SPACE} name lan0`}
      ip ${inside} link set lan0 address ${SERVER_MAC} arp off
      ip ${inside} link set lan0 up
      ip link set ${end} up`);
    for (const address of addresses) sh(`ip ${inside} addr add ${address} dev lan0`);
    for (const subnet of beyond) sh(`ip ${inside} route add ${subnet} dev lan0`);
  }
}

export function takeTwinsDown(): void {
  sh(`ip link del to-reveille || true; ip link del to-peer || true; ip netns del ${PEER_SPACE} || true`);
}

export type Peer = { readonly log: () => string; stop(): Promise<void> };

/**
 * Starts a server on the peer's wire, in a folder with these files, and waits until it says `ready`. `command` is words with
 * blanks between them.
 */
export async function startPeer(
  command: string,
  files: Readonly<Record<string, string>>,
  ready: string,
): Promise<Peer> {
  const folder = mkdtempSync(join(tmpdir(), 'reveille-peer-'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const [program = '', ...args] = command.split(' ');
  // Where AppArmor confines a server to its own folders, it does so by the program's path: a copy may read ours.
  copyFileSync(sh(`command -v ${program}`).trim(), join(folder, program));
  const words = ['netns', 'exec', PEER_SPACE, `./${program}`, ...args];
  const child = spawn('ip', words, { cwd: folder, stdio: 'pipe' });
  const log = record(child);
  const end = Date.now() + 10_000;
  while (!log().includes(ready)) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > end) {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true });
      assert.fail(`${command} does not start: ${child.exitCode ?? child.signalCode}\n${log()}`);
    }
    await sleep(20);
  }
  return {
    log,
    stop: async () => {
      const ended = once(child, 'exit');
      if (child.exitCode === null && child.kill('SIGKILL')) await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

function record(child: ChildProcess): () => string {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (output += text));
  return () => output;
}

/** What a client sends: its bytes, and the addresses of the datagram around them. */
export type Saying = {
  readonly bytes: Buffer;
  readonly from?: Ipv4;
  /** Broadcast unless given. */
  readonly to?: Ipv4;
  /** 67 for a relay, else 68. */
  readonly port?: number;
};

/** An answer as it was on the wire. */
export type Heard = { readonly packet: DhcpPacket; readonly bytes: number; readonly from: string; readonly to: string };

/** A client that both configurations know, with an address of its own: its question is answered at once, and changes nothing. */
export const SENTINEL = mac('02:00:00:00:fe:fe');

const PATIENCE_MS = 5000;
/** Our ACKs leave when their lease is stored, perhaps after the sentinel's answer. */
const GRACE_MS = 30;

/** The client's end of one wire. */
export class ClientEnd {
  readonly #sender: RawSender;
  readonly #fd: number;
  readonly #watch: { stop(): void };
  readonly #heard: Heard[] = [];
  #xid = 1;

  constructor(server: ServerName) {
    const name = `to-${server}`;
    this.#sender = openRawSender(name);
    this.#fd = openListening(name, ETH_P_IP).fd;
    const packet = new Uint8Array(2048);
    this.#watch = watchReadable(this.#fd, () => {
      for (let length = receive(this.#fd, packet); length >= 0; length = receive(this.#fd, packet)) {
        const heard = replyIn(Buffer.from(packet.subarray(0, length)));
        if (heard) this.#heard.push(heard);
      }
    });
  }

  /** Says something and waits until the server has surely dealt with it; what it answered, if anything. */
  async ask(saying: Saying): Promise<readonly Heard[]> {
    const xid = 0x52000000 + this.#xid++;
    const bytes = Buffer.from(saying.bytes);
    bytes.writeUInt32BE(xid, 4);
    this.#heard.length = 0;
    this.#send({ ...saying, bytes });
    const sentinel = 0x5e000000 + this.#xid++;
    this.#send({ bytes: encodePacket(requestOf('discover', SENTINEL, [], { xid: sentinel, flags: 0x8000 })) });
    const end = Date.now() + PATIENCE_MS;
    while (!this.#heard.some(({ packet }) => packet.xid === sentinel)) {
      if (Date.now() > end) assert.fail('the server answers no more');
      await sleep(2);
    }
    await sleep(GRACE_MS);
    return this.#heard.filter(({ packet }) => packet.xid === xid);
  }

  #send({ bytes, from = UNSPECIFIED, to = LIMITED_BROADCAST, port = 68 }: Saying): void {
    const address = to === LIMITED_BROADCAST ? BROADCAST_MAC : SERVER_MAC;
    this.#sender.send({ ip: to, port: 67, mac: address }, { ip: from, port }, bytes);
  }

  close(): void {
    this.#watch.stop();
    closeDescriptor(this.#fd);
    this.#sender.close();
  }
}

/** The DHCP reply in an IP packet, if there is one. */
function replyIn(packet: Buffer): Heard | undefined {
  const header = ((packet[0] ?? 0) & 15) * 4;
  if (packet[9] !== 17 || packet.length < header + 8) return undefined;
  const payload = packet.subarray(header + 8);
  const decoded = decodePacket(payload);
  if (!decoded.ok || decoded.packet.op !== 'reply') return undefined;
  const to = formatIpv4(packet.readUInt32BE(16) as Ipv4);
  const from = `${formatIpv4(packet.readUInt32BE(12) as Ipv4)}:${packet.readUInt16BE(header)}`;
  return { packet: decoded.packet, bytes: payload.length, from, to: `${to}:${packet.readUInt16BE(header + 2)}` };
}
