import { type Ipv4, LIMITED_BROADCAST, UNSPECIFIED } from '../../src/model/ipv4.ts';
import { type Mac, macFromBytes, writeMac } from '../../src/model/mac.ts';
import { RECORDED_NAMES, recorded } from '../interop/recorded.ts';
import { BROADCAST_MAC, LONGEST_PAYLOAD, type UdpFrame, writeUdpFrame } from '../rig/frames.ts';
import { ip, mac, OWN_IP, RELAY_IP, SERVER_IP } from '../rig/network.ts';
import type { Random } from '../rig/random.ts';
import type { Wire } from '../rig/wire.ts';
import { OPTIONS_AT, option, optionsOf, readDhcp, writeOptions } from './dhcpBytes.ts';
import { type DhcpInput, type Fuzzer, type Heard, slowness } from './input.ts';
import { havoc, splice } from './mutate.ts';
import { IMPERSONATED } from './site.ts';

/** An answer is waited for so long. */
const PATIENCE_MS = 25;
/** Half of the inputs come from few machines, so that leases are asked for again, declined and given back. */
const FEW_MACHINES = 400;

const STRANGER = mac('02:fe:00:00:00:01');
const FROM_STRANGER: Omit<DhcpInput, 'payload'> = {
  protocol: 'dhcp',
  wire: 'rack',
  fromMac: STRANGER,
  from: UNSPECIFIED,
  fromPort: 68,
  to: LIMITED_BROADCAST,
  toPort: 67,
  unicast: false,
  follow: true,
};

const PORTS = [68, 68, 68, 67, 67, 0, 69, 4011, 65535];
const ADDRESSES: readonly Ipv4[] = [
  UNSPECIFIED,
  UNSPECIFIED,
  OWN_IP,
  RELAY_IP,
  SERVER_IP,
  ...['10.0.2.7', '10.1.0.5', '10.200.1.1', '10.200.2.1', '192.168.7.150', '10.20.0.120', '8.8.8.8'].map(ip),
  ...['127.0.0.1', '224.0.0.1', '255.255.255.255', '10.15.255.255', '10.0.0.0', '10.0.0.51', '10.0.1.1'].map(ip),
];
const GIADDR: readonly Ipv4[] = [
  '10.200.1.1',
  '10.200.2.1',
  '10.0.0.9',
  '10.20.0.9',
  '8.8.8.8',
  '127.0.0.1',
  '10.0.0.2',
].map(ip);
const CODES = [
  1, 3, 6, 12, 43, 50, 50, 51, 52, 53, 53, 54, 55, 57, 60, 61, 66, 67, 77, 81, 82, 82, 93, 94, 97, 118, 119, 121, 124,
  125, 150, 151, 152, 175, 209, 224, 255,
];
const VALUES = [
  '',
  '00',
  'ff',
  '0001',
  '01',
  '07',
  'ffffffff',
  '00000000',
  '0a000002',
  '0a010005',
  'c0a80764',
  '69505845',
  '0469505845',
  '505845436c69656e743a417263683a30303030373a554e44493a303033303136',
  '4854545043 6c69656e74'.replace(' ', ''),
  '02403a',
  '0000',
  '0010',
  '24000000',
];

/** Fuzzes DHCP with frames of its own on both wires. The wires' sockets hear the server's answers. */
export class DhcpFuzzer implements Fuzzer<DhcpInput> {
  readonly protocol = 'dhcp';
  readonly lanes = 8;
  readonly seeds: readonly DhcpInput[] = makeSeeds();
  readonly #wires: Readonly<Record<'rack' | 'guests', Wire>>;
  readonly #server: Readonly<Record<'rack' | 'guests', Mac>>;
  readonly #heard: Heard;
  readonly #waiting = new Map<number, { readonly input: DhcpInput; readonly since: number; done(): void }>();

  constructor(wires: DhcpFuzzer['wires'], servers: Readonly<Record<'rack' | 'guests', Mac>>, heard: Heard) {
    this.#wires = wires;
    this.#server = servers;
    this.#heard = heard;
  }

  get wires(): Readonly<Record<'rack' | 'guests', Wire>> {
    return this.#wires;
  }

  mutate(input: DhcpInput, other: DhcpInput, random: Random): DhcpInput {
    let out = input;
    let payload: Buffer = Buffer.from(input.payload, 'base64');
    for (let times = 1 + random.below(4); times > 0; times--) {
      if (random.chance(0.25)) out = { ...out, ...elsewhere(random) };
      else if (random.chance(0.35)) payload = havoc(payload, random, LONGEST_PAYLOAD);
      else if (random.chance(0.1)) payload = splice(payload, Buffer.from(other.payload, 'base64'), random);
      else if (random.chance(0.5)) payload = withOtherOptions(payload, random);
      else payload = withOtherHeader(payload, random);
    }
    payload = withMachine(payload.subarray(0, LONGEST_PAYLOAD), random);
    return { ...out, payload: payload.toString('base64') };
  }

  play(input: DhcpInput): Promise<void> {
    const payload = Buffer.from(input.payload, 'base64');
    // The xid tells the answers apart; an input's own is one of many, so that it may be replaced.
    const xid = payload.length >= 8 ? payload.readUInt32BE(4) : -1;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        if (this.#waiting.get(xid)?.done === done) this.#waiting.delete(xid);
        resolve();
      };
      const timer = setTimeout(done, PATIENCE_MS);
      this.#waiting.set(xid, { input, since: performance.now(), done });
      this.#send(input, payload);
    });
  }

  /** Takes in what the server sent on a wire. */
  hear(frame: UdpFrame): void {
    if (frame.fromPort !== 67) return;
    const answer = readDhcp(frame.payload);
    if (!answer) return;
    const asked = this.#waiting.get(answer.xid);
    const note = (key: string): void => this.#heard(`dhcp ${key}`, asked?.input);
    const kind = `answer ${answer.type}`;
    note(kind);
    note(`${kind} to ${frame.toMac === BROADCAST_MAC ? 'all' : 'one'} at ${placeOf(frame.to)}:${frame.toPort}`);
    note(`${kind} of ${placeOf(answer.yiaddr)}`);
    for (const code of answer.options.keys()) note(`${kind} option ${code}`);
    note(`${kind} of ${Math.ceil(frame.payload.length / 128) * 128} bytes`);
    if (answer.file !== '') note(`${kind} file ${answer.file.replace(/[0-9a-f]{2}[:-].*/i, '')}`);
    if (!asked) return;
    const slow = slowness(performance.now() - asked.since);
    if (slow) note(`${kind} ${slow}`);
    asked.done();
    if (asked.input.follow && answer.type === 2) this.#take(asked.input, answer.yiaddr);
  }

  close(): void {
    for (const { done } of this.#waiting.values()) done();
  }

  /** Asks for what was offered. */
  #take(input: DhcpInput, offered: Ipv4): void {
    const payload = Buffer.from(input.payload, 'base64');
    const request = writeOptions(payload, [
      ...optionsOf(payload).filter(([code]) => ![50, 53, 54].includes(code)),
      [53, Buffer.of(3)],
      [50, address(offered)],
      [54, address(SERVER_IP)],
    ]).subarray(0, LONGEST_PAYLOAD);
    this.#send(input, request);
  }

  #send(input: DhcpInput, payload: Buffer): void {
    const toMac = input.unicast ? this.#server[input.wire] : BROADCAST_MAC;
    this.#wires[input.wire].send(writeUdpFrame({ ...input, toMac, payload }));
  }
}

function address(value: Ipv4): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function placeOf(value: Ipv4): string {
  if (value === UNSPECIFIED || value === LIMITED_BROADCAST) return String(value);
  return `${value >>> 24}.${(value >>> 16) & 255}`;
}

function elsewhere(random: Random): Partial<DhcpInput> {
  switch (random.below(6)) {
    case 0:
      return { wire: random.pick(['rack', 'rack', 'guests']) };
    case 1:
      return { from: random.pick(ADDRESSES) };
    case 2:
      return { fromPort: random.chance(0.7) ? random.pick(PORTS) : random.below(65536) };
    case 3:
      return { to: random.pick([LIMITED_BROADCAST, LIMITED_BROADCAST, SERVER_IP, ip('10.15.255.255')]) };
    case 4:
      return { toPort: random.pick([67, 67, 67, 67, 4011, 68]), unicast: random.chance(0.5) };
    default:
      return { follow: random.chance(0.5), fromMac: random.chance(0.5) ? (BROADCAST_MAC as Mac) : machine(random) };
  }
}

function machine(random: Random): Mac {
  if (random.chance(0.15)) return mac(random.pick(IMPERSONATED).mac);
  const n = random.chance(0.5) ? random.below(FEW_MACHINES) : random.below(65536);
  const phone = random.chance(0.1) ? '00:04:13:00' : '02:fe:00:00';
  return mac(`${phone}:${hex(n >> 8)}:${hex(n)}`);
}

const hex = (n: number): string => (n & 255).toString(16).padStart(2, '0');

/** A fresh xid, and mostly a machine that is no bystander's. */
function withMachine(payload: Buffer, random: Random): Buffer {
  const out = Buffer.from(payload);
  if (out.length >= 8) out.writeUInt32BE(random.word(), 4);
  if (out.length < 34) return out;
  const asks = macFromBytes(out, 28);
  if (random.chance(0.6) || asks.startsWith('52:54:00:00:00:5')) writeMac(machine(random), out, 28);
  return out;
}

function withOtherHeader(payload: Buffer, random: Random): Buffer {
  const out = Buffer.from(payload);
  if (out.length < OPTIONS_AT) return Buffer.concat([out, Buffer.alloc(OPTIONS_AT - out.length)]);
  switch (random.below(8)) {
    case 0:
      out[0] = random.pick([1, 1, 2, 0, 3, 255]);
      break;
    case 1:
      out[1] = random.pick([1, 1, 6, 0, 32, 255]);
      out[2] = random.pick([6, 6, 0, 1, 16, 17, 255]);
      break;
    case 2:
      out[3] = random.pick([0, 1, 4, 16, 17, 255]);
      break;
    case 3:
      out.writeUInt16BE(random.pick([0, 1, 60, 65535]), 8);
      out.writeUInt16BE(random.pick([0, 0x8000, 0x7fff, 0xffff]), 10);
      break;
    case 4:
      out.writeUInt32BE(random.pick(ADDRESSES), 12);
      break;
    case 5:
      out.writeUInt32BE(random.pick(ADDRESSES), random.pick([16, 20]));
      break;
    case 6:
      out.writeUInt32BE(random.chance(0.6) ? random.pick(GIADDR) : random.pick(ADDRESSES), 24);
      break;
    default:
      random.bytes(random.between(1, 192)).copy(out, 44 + random.below(100));
  }
  return out;
}

function withOtherOptions(payload: Buffer, random: Random): Buffer {
  const options = optionsOf(payload);
  switch (random.below(7)) {
    case 0:
      options.splice(random.below(options.length + 1), 1);
      break;
    case 1:
      options.push([random.chance(0.8) ? random.pick(CODES) : random.below(256), someValue(random)]);
      break;
    case 2: {
      const at = random.below(options.length);
      const [code] = options[at] ?? [53];
      options[at] = [code, someValue(random)];
      break;
    }
    case 3:
      for (let i = random.pick([2, 20, 100, 300]); i > 0; i--)
        options.push([random.chance(0.5) ? random.pick(CODES) : random.below(256), random.bytes(random.below(4))]);
      break;
    case 4:
      options.push([82, nested(random, 0)]);
      break;
    case 5: {
      // A long option is split over several of its code (RFC 3396).
      const code = random.pick(CODES);
      for (let i = random.between(2, 5); i > 0; i--) options.push([code, random.bytes(random.below(120))]);
      break;
    }
    default:
      return overloaded(writeOptions(payload, [[52, Buffer.of(random.below(8))], ...options]), random);
  }
  const type: [number, Buffer] = [53, Buffer.of(random.pick([1, 1, 3, 3, 3, 4, 7, 8, 0, 2, 5, 6, 9, 13, 255]))];
  const out = random.chance(0.4) ? [type, ...options.filter(([code]) => code !== 53)] : options;
  return writeOptions(payload, out, random.chance(0.9));
}

function someValue(random: Random): Buffer {
  if (random.chance(0.6)) return Buffer.from(random.pick(VALUES), 'hex');
  if (random.chance(0.3)) return address(random.pick(ADDRESSES));
  return random.bytes(random.pick([0, 1, 2, 4, 8, 40, 255]));
}

/** Options in option 82, in which the lengths may lie. */
function nested(random: Random, depth: number): Buffer {
  const parts: Buffer[] = [];
  for (let i = random.between(1, 6); i > 0; i--) {
    const inner =
      depth < 3 && random.chance(0.3)
        ? nested(random, depth + 1)
        : random.chance(0.4)
          ? Buffer.from(random.pick(['eth0/1/7', 'eth0/1/', '\0\x04ab', 'x'.repeat(200)]), 'latin1')
          : random.chance(0.5)
            ? address(random.pick(GIADDR))
            : random.bytes(random.below(20));
    const length = random.chance(0.85) ? inner.length : random.below(256);
    parts.push(Buffer.of(random.pick([1, 2, 5, 11, 19, 9, 151, 152, random.below(256)]), length & 255), inner);
  }
  return Buffer.concat(parts).subarray(0, 255);
}

/** Options in the fields of names too (RFC 2131 section 4.1). */
function overloaded(payload: Buffer, random: Random): Buffer {
  const out = Buffer.from(payload);
  for (const [at, size] of [
    [44, 64],
    [108, 128],
  ] as const) {
    if (random.chance(0.3) || out.length < at + size) continue;
    const parts = Array.from({ length: random.between(1, 12) }, () => option(random.pick(CODES), someValue(random)));
    const field = Buffer.concat([...parts, Buffer.of(random.pick([255, 0, 52]))]).subarray(0, size);
    field.copy(out, at);
  }
  return out;
}

/** The first request of a machine's boot. */
export function firmwareOf(machine: Mac): DhcpInput {
  const xid = Buffer.alloc(4);
  xid.writeUInt32BE(0x60000000 + Number.parseInt(machine.slice(-5).replace(':', ''), 16));
  const payload = recorded('UEFI (OVMF): DISCOVER', { mac: machine });
  xid.copy(payload, 4);
  return { ...FROM_STRANGER, fromMac: machine, payload: payload.toString('base64') };
}

/** Recorded requests of real clients, and hand-made ones for what they do not do. */
function makeSeeds(): DhcpInput[] {
  const stranger = STRANGER;
  const base = FROM_STRANGER;
  const seeds: DhcpInput[] = [];
  for (const name of RECORDED_NAMES) {
    const fitting = { mac: stranger, requested: ip('10.1.0.5'), server: SERVER_IP };
    seeds.push({ ...base, payload: recorded(name, fitting).toString('base64') });
    seeds.push({
      ...base,
      payload: recorded(name, { ...fitting, mac: mac(IMPERSONATED[0]?.mac ?? '') }).toString('base64'),
    });
  }
  const blank = recorded('dhclient: DISCOVER', { mac: stranger });
  const made = (options: readonly [number, Buffer][], header: { ciaddr?: Ipv4; giaddr?: Ipv4 } = {}): string => {
    const bytes = writeOptions(blank, options);
    bytes.writeUInt32BE(header.ciaddr ?? 0, 12);
    bytes.writeUInt32BE(header.giaddr ?? 0, 24);
    return bytes.toString('base64');
  };
  const relayed = { fromPort: 67, from: RELAY_IP, to: SERVER_IP, unicast: true };
  const circuit = option(82, Buffer.concat([option(1, Buffer.from('eth0/1/7')), option(2, Buffer.of(0, 4, 1, 2))]));
  const kinds: [number, Buffer][] = [4, 7, 8, 13].map((type) => [53, Buffer.of(type)]);
  for (const kind of kinds) {
    seeds.push({
      ...base,
      from: ip('10.1.0.5'),
      payload: made([kind, [50, address(ip('10.1.0.5'))], [54, address(SERVER_IP)]], { ciaddr: ip('10.1.0.5') }),
    });
  }
  for (const giaddr of GIADDR) {
    seeds.push({ ...base, ...relayed, payload: made([[53, Buffer.of(1)]], { giaddr }) });
    seeds.push({
      ...base,
      ...relayed,
      payload: made(
        [
          [53, Buffer.of(1)],
          [82, circuit.subarray(2)],
        ],
        { giaddr },
      ),
    });
  }
  seeds.push({ ...base, payload: made([]) });
  seeds.push({ ...base, wire: 'guests', payload: made([[53, Buffer.of(1)]]) });
  seeds.push({
    ...base,
    toPort: 4011,
    to: SERVER_IP,
    from: OWN_IP,
    unicast: true,
    payload: made(
      [
        [53, Buffer.of(3)],
        [60, Buffer.from('PXEClient')],
      ],
      { ciaddr: OWN_IP },
    ),
  });
  seeds.push({
    ...base,
    payload: made([
      [53, Buffer.of(3)],
      [50, address(ip('10.1.0.9'))],
    ]),
  });
  seeds.push({
    ...base,
    payload: made([
      [53, Buffer.of(1)],
      [118, address(ip('10.200.1.0'))],
      [61, Buffer.from('00ff', 'hex')],
    ]),
  });
  return seeds;
}
