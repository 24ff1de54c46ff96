/**
 * Hostile packets at a rate, from a machine on the wire: `flood-sender.ts RATE SECONDS KIND...`. No two are of the same client.
 * Prints how many it sent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { BROADCAST_FLAG, type DhcpPacket, encodePacket } from '../../src/dhcp/packet.ts';
import { machine, requestOf, say } from '../../src/dhcp/testing/fixture.ts';
import { type Ipv4, LIMITED_BROADCAST, UNSPECIFIED } from '../../src/model/ipv4.ts';
import { OPTION } from '../../src/model/options.ts';
import { openRawSender } from '../../src/net/raw.ts';
import { ip, mac } from '../../src/site/testing/fixture.ts';

const EVERYBODY = mac('ff:ff:ff:ff:ff:ff');
const SERVER = ip('10.0.0.2');
const CLIENT = machine(1);
const TICK_MS = 4;

/** Addresses of the network that nobody has: no answer to ARP ever comes. */
const nobody = (n: number): Ipv4 => (ip('10.0.200.1') + (n % 10_000)) as Ipv4;
const inPool = (n: number): Ipv4 => (ip('10.0.16.0') + (n % 4096)) as Ipv4;
const random = Uint8Array.from({ length: 600 }, () => Math.random() * 256);

/** What each kind sends the n-th time. The sixth to eleventh byte of `chaddr` and the transaction are filled in later. */
const KINDS: Readonly<Record<string, (n: number) => Partial<DhcpPacket> | Uint8Array>> = {
  discover: (n) => requestOf('discover', CLIENT, [], { flags: n % 2 ? BROADCAST_FLAG : 0 }),
  request: (n) => requestOf('request', CLIENT, [say(OPTION.requestedAddress, inPool(n))]),
  inform: (n) => requestOf('inform', CLIENT, [], { ciaddr: nobody(n) }),
  renew: (n) => requestOf('request', CLIENT, [], { ciaddr: inPool(n) }),
  relayed: (n) => requestOf('discover', CLIENT, [], { giaddr: nobody(n) }),
  'relayed-inform': (n) => requestOf('inform', CLIENT, [], { giaddr: nobody(n), ciaddr: nobody(n + 1) }),
  decline: (n) => requestOf('decline', CLIENT, [say(OPTION.requestedAddress, inPool(n))]),
  release: (n) => requestOf('release', CLIENT, [], { ciaddr: inPool(n) }),
  malformed: (n) => random.subarray(0, 1 + (n % 599)),
};
const CHADDR_AT = 28;
const XID_AT = 4;

const [rate = '', seconds = '', ...kinds] = process.argv.slice(2);
const sender = openRawSender('eth0');
const to = { ip: LIMITED_BROADCAST, mac: EVERYBODY, port: 67 };
const from = { ip: UNSPECIFIED, port: 68 };
const rrq = Buffer.from('\0\x01no-such-file\0octet\0');

function sendOne(n: number): void {
  const kind = kinds[n % kinds.length] ?? '';
  if (kind === 'rrq') {
    // A read request that seems to come from an address that nobody has.
    sender.send({ ip: SERVER, mac: EVERYBODY, port: 69 }, { ip: nobody(n), port: 1024 + (n % 60_000) }, rrq);
    return;
  }
  const made = KINDS[kind]?.(n);
  if (made === undefined) throw new Error(`no such kind of packet: ${kind}`);
  const bytes = made instanceof Uint8Array ? made : encodePacket(made as DhcpPacket);
  if (!(made instanceof Uint8Array) && bytes instanceof Buffer) {
    bytes.writeUInt32BE(n, XID_AT);
    bytes[CHADDR_AT] = 0x06;
    bytes.writeUInt32BE(n, CHADDR_AT + 2);
  }
  sender.send(to, from, bytes);
}

const started = performance.now();
let sent = 0;
for (;;) {
  const elapsed = performance.now() - started;
  if (elapsed > Number(seconds) * 1000) break;
  // What a busy machine did not let it send in time follows at once.
  for (const due = (elapsed / 1000) * Number(rate); sent < due; sent++) sendOne(sent);
  await sleep(TICK_MS);
}
console.log(`sent ${sent}`);
