/**
 * A machine that the site lists and that asks again and again: `flood-client.ts direct|relayed SECONDS`. Each question is asked
 * again after a second, as clients do, three times at most. Prints a JSON object: by kind of exchange `ms` (how long each answer
 * took, from the first question on), `again` (questions that were repeated) and `lost` (exchanges without an answer).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { read } from '../../src/dhcp/optionSet.ts';
import { BROADCAST_FLAG, type DhcpPacket, decodePacket, encodePacket, MESSAGE } from '../../src/dhcp/packet.ts';
import { requestOf, type Said, say } from '../../src/dhcp/testing/fixture.ts';
import { LIMITED_BROADCAST, UNSPECIFIED } from '../../src/model/ipv4.ts';
import { OPTION } from '../../src/model/options.ts';
import { ETH_P_IP, receive, SO_RCVBUF, setOption, watchReadable } from '../../src/net/libc.ts';
import { openListening, openRawSender } from '../../src/net/raw.ts';
import { UdpPort } from '../../src/net/udp.ts';
import { ip, mac } from '../../src/site/testing/fixture.ts';

export type Told = { readonly ms: number[]; again: number; lost: number };

const NODE = { mac: mac('52:54:00:00:00:51'), ip: ip('10.0.0.51') };
const RELAYED = { mac: mac('52:54:00:00:00:52'), ip: ip('10.0.0.52') };
const RELAY = ip('10.0.0.9');
const SERVER = ip('10.0.0.2');
const PATIENCE_MS = 1000;
const TRIES = 3;
const PAUSE_MS = 20;

const [where = '', seconds = ''] = process.argv.slice(2);
const waiting = new Map<number, (reply: DhcpPacket) => void>();
const results: Record<string, Told> = {};
let transaction = 1;

function heard(bytes: Buffer): void {
  const decoded = decodePacket(bytes);
  if (decoded.ok && decoded.packet.op === 'reply') waiting.get(decoded.packet.xid)?.(decoded.packet);
}

/** Frames: the machine has no address. */
function direct(): (packet: DhcpPacket) => void {
  const sender = openRawSender('eth0');
  const { fd } = openListening('eth0', ETH_P_IP);
  // It hears the whole flood, and must not lose what is for it.
  setOption(fd, SO_RCVBUF, 8 * 1024 * 1024);
  const frame = Buffer.alloc(2048);
  watchReadable(fd, () => {
    for (let length = receive(fd, frame); length >= 0; length = receive(fd, frame)) {
      const at = ((frame[0] ?? 0) & 15) * 4;
      if (frame[9] === 17 && length > at + 8 && frame.readUInt16BE(at + 2) === 68) {
        heard(Buffer.from(frame.subarray(at + 8, length)));
      }
    }
  });
  const to = { ip: LIMITED_BROADCAST, mac: mac('ff:ff:ff:ff:ff:ff'), port: 67 };
  return (packet) => {
    sender.send(to, { ip: packet.ciaddr, port: 68 }, encodePacket(packet));
  };
}

/** UDP between the relay's address and the server's. */
async function relayed(): Promise<(packet: DhcpPacket) => void> {
  const port = await UdpPort.open({ address: RELAY, port: 67 });
  port.socket.on('message', heard);
  return (packet) => {
    port.send(encodePacket({ ...packet, giaddr: RELAY, hops: 1 }), SERVER, 67);
  };
}

const send = where === 'relayed' ? await relayed() : direct();

async function ask(kind: string, packet: DhcpPacket): Promise<DhcpPacket | undefined> {
  results[kind] ??= { ms: [], again: 0, lost: 0 };
  const told = results[kind];
  const xid = transaction++;
  const started = performance.now();
  const answer = new Promise<DhcpPacket>((resolve) => waiting.set(xid, resolve));
  try {
    for (let tries = 0; tries < TRIES; tries++) {
      if (tries > 0) told.again++;
      send({ ...packet, xid });
      const reply = await Promise.race([answer, sleep(PATIENCE_MS, undefined)]);
      if (!reply) continue;
      told.ms.push(performance.now() - started);
      return reply;
    }
    told.lost++;
    return undefined;
  } finally {
    waiting.delete(xid);
  }
}

/** DISCOVER and REQUEST; the whole must give the machine's own address. */
async function exchange(kind: string, { mac: chaddr, ip: own }: typeof NODE, flags: number): Promise<void> {
  const asks: Said[] = [[OPTION.parameterList.code, Uint8Array.of(1, 3, 6)]];
  const offer = await ask(`${kind} OFFER`, requestOf('discover', chaddr, asks, { flags }));
  if (!offer) return;
  const server = say(OPTION.serverId, read(offer.options, OPTION.serverId) ?? UNSPECIFIED);
  const address = say(OPTION.requestedAddress, offer.yiaddr);
  const ack = await ask(`${kind} ACK`, requestOf('request', chaddr, [...asks, server, address], { flags }));
  if (ack && (ack.yiaddr !== own || read(ack.options, OPTION.messageType) !== MESSAGE.ack)) {
    throw new Error(`${kind}: ${JSON.stringify(ack)}`);
  }
}

const end = performance.now() + Number(seconds) * 1000;
while (performance.now() < end) {
  if (where === 'relayed') await exchange('relayed', RELAYED, 0);
  else {
    await exchange('broadcast', NODE, BROADCAST_FLAG);
    await exchange('unicast', NODE, 0);
    await ask('INFORM', requestOf('inform', NODE.mac, [], { ciaddr: NODE.ip }));
    await ask('renewal', requestOf('request', NODE.mac, [], { ciaddr: NODE.ip }));
  }
  await sleep(PAUSE_MS);
}
console.log(JSON.stringify(results));
process.exit();
