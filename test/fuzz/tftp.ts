import type { Ipv4 } from '../../src/model/ipv4.ts';
import type { Mac } from '../../src/model/mac.ts';
import { LONGEST_PAYLOAD, type UdpFrame, writeUdpFrame } from '../rig/frames.ts';
import { ip, mac, SERVER_IP } from '../rig/network.ts';
import type { Random } from '../rig/random.ts';
import type { Wire } from '../rig/wire.ts';
import { type Fuzzer, type Heard, shapeOf, slowness, type TftpInput, type TftpStep } from './input.ts';
import { bend, havoc, NUMBERS, splice } from './mutate.ts';
import { HTTP_IMPERSONATED } from './site.ts';

const PATIENCE_MS = 40;
/** Clients that exist: ARP for 10.0.77.0/24 is answered. The odd ones of 10.0.78.0/24 do not, and answers to them wait in vain. */
const CLIENTS = 250;

const NAMES = [
  'hello.txt',
  'big.bin',
  'empty',
  'sub/inner.txt',
  'link-in',
  'link-out/canary.txt',
  '../site.yaml',
  '../../outside/canary.txt',
  '../secrets/impersonated',
  '/etc/passwd',
  '/../../../../../../etc/passwd',
  'sub/../../site.yaml',
  '..\\site.yaml',
  './hello.txt',
  '//hello.txt',
  'pxelinux.cfg/default',
  'pxelinux.cfg/01-52-54-00-00-01-01',
  'pxelinux.cfg/0A000101',
  'pxelinux.0',
  'undionly.kpxe',
  'snponly.efi',
  '10-0-0-52/hosts',
  '10-0-0-52/settings.sh',
  'nodes/10-0-0-52/hosts',
  'images/IMAGE/initrd',
  'images/IMAGE/vmlinuz',
  'images/IMAGE/../../../reveille.db',
  'reveille.db',
  '',
  '.',
  '..',
  '/',
  'a'.repeat(500),
  'hello.txt\u00ff',
];
const MODES = ['octet', 'octet', 'octet', 'OCTET', 'netascii', 'mail', '', 'octet\u00ff'];
const OPTION_NAMES = [
  'blksize',
  'blksize',
  'tsize',
  'timeout',
  'windowsize',
  'windowsize',
  'multicast',
  'utimeout',
  'rollover',
  '',
];
const OPTION_VALUES = [...NUMBERS, '16', '64', '1024', '9000'];

/** Fuzzes TFTP from addresses of its own on the rack's wire. */
export class TftpFuzzer implements Fuzzer<TftpInput> {
  readonly protocol = 'tftp';
  readonly lanes = 8;
  readonly seeds: readonly TftpInput[];
  readonly #wire: Wire;
  readonly #server: Mac;
  readonly #heard: Heard;
  readonly #names: readonly string[];
  readonly #listeners = new Map<string, (frame: UdpFrame) => void>();

  constructor(wire: Wire, server: Mac, image: string, heard: Heard) {
    this.#wire = wire;
    this.#server = server;
    this.#heard = heard;
    this.#names = NAMES.map((name) => name.replace('IMAGE', image));
    this.seeds = this.#makeSeeds();
  }

  /** Whether ARP requests for this address are to be answered. */
  static answersArp(target: Ipv4): boolean {
    return (target >>> 8) % 65536 === 77 || ((target >>> 8) % 65536 === 78 && target % 2 === 0);
  }

  mutate(input: TftpInput, other: TftpInput, random: Random): TftpInput {
    let steps = [...input.steps];
    for (let times = 1 + random.below(3); times > 0; times--) {
      const at = random.below(steps.length + 1);
      switch (random.below(8)) {
        case 0:
          steps.splice(at, 0, this.#step(random));
          break;
        case 1:
          steps.splice(at, random.between(1, 3));
          break;
        case 2:
          steps = [...steps.slice(0, at), ...other.steps.slice(random.below(other.steps.length + 1))];
          break;
        case 3:
          steps.push({ to: 'transfer', ack: random.pick([0, 0, 0, -1, 1, 2, 100, 32768]), waitMs: 0 });
          break;
        case 4:
          steps = steps.map((step) => ({ ...step, waitMs: random.pick([0, 0, 5, PATIENCE_MS]) }));
          break;
        default:
          steps[at] = bentStep(steps[at] ?? this.#step(random), random);
      }
    }
    if (steps.length === 0) steps.push({ to: 69, bytes: this.#request(random), waitMs: PATIENCE_MS });
    const moved = random.chance(0.7) ? somewhere(random) : {};
    return { ...input, ...moved, steps: steps.slice(0, 24) };
  }

  async play(input: TftpInput, random: Random): Promise<void> {
    const key = `${input.from} ${input.fromPort}`;
    let transfer: { port: number; block: number } | undefined;
    let wake = (): void => {};
    let since = performance.now();
    this.#listeners.set(key, (frame) => {
      const op = frame.payload.length >= 4 ? frame.payload.readUInt16BE(0) : -1;
      transfer = { port: frame.fromPort, block: op === 3 ? frame.payload.readUInt16BE(2) : (transfer?.block ?? 0) };
      this.#note(frame.payload, op, performance.now() - since, input);
      wake();
    });
    for (const step of input.steps) {
      const bytes =
        step.bytes === undefined ? ackOf((transfer?.block ?? 0) + (step.ack ?? 0)) : Buffer.from(step.bytes, 'base64');
      const port = step.to === 69 ? 69 : step.to === 'transfer' ? (transfer?.port ?? 69) : random.between(1024, 65535);
      since = performance.now();
      this.#send(input, port, bytes);
      if (step.waitMs === 0) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, step.waitMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    // Half of the transfers are abandoned as they are.
    if (transfer && random.chance(0.5)) this.#send(input, transfer.port, Buffer.from('0005000065756e64000000', 'hex'));
    this.#listeners.delete(key);
  }

  /** Takes in what the server sent on the wire. */
  hear(frame: UdpFrame): void {
    this.#listeners.get(`${frame.to} ${frame.toPort}`)?.(frame);
  }

  close(): void {
    this.#listeners.clear();
  }

  #note(payload: Buffer, op: number, ms: number, input: TftpInput): void {
    const note = (key: string): void => this.#heard(`tftp ${key}`, input);
    const rest = payload.toString('latin1', 2);
    if (op === 5) note(`error ${payload.readUInt16BE(2)} ${shapeOf(rest.slice(2))}`);
    else if (op === 6)
      note(
        `oack ${rest
          .split('\0')
          .filter((_, i) => i % 2 === 0)
          .join(' ')}`,
      );
    else note(`packet ${op} of ${Math.ceil(payload.length / 256) * 256} bytes`);
    if (op === 3 && payload.readUInt16BE(2) > 1) note('data beyond the first block');
    const slow = slowness(ms);
    if (slow) note(`packet ${op} ${slow}`);
  }

  #send({ from, fromPort }: TftpInput, toPort: number, payload: Buffer): void {
    const fromMac = machineOf(from);
    this.#wire.send(
      writeUdpFrame({
        fromMac,
        toMac: this.#server,
        from,
        fromPort,
        to: SERVER_IP,
        toPort,
        payload: payload.subarray(0, LONGEST_PAYLOAD),
      }),
    );
  }

  #step(random: Random): TftpStep {
    const waitMs = random.pick([0, 5, PATIENCE_MS]);
    if (random.chance(0.4)) return { to: 69, bytes: this.#request(random), waitMs };
    if (random.chance(0.6)) return { to: 'transfer', ack: random.pick([0, 0, 0, 1, -1, 7]), waitMs };
    const op = random.pick([0, 2, 3, 4, 5, 6, 7, 255]);
    const body = random.chance(0.5) ? random.bytes(random.below(600)) : Buffer.from('blksize\x001428\0');
    return {
      to: random.pick([69, 'transfer', 'transfer', 'random']),
      bytes: packet(op, body).toString('base64'),
      waitMs,
    };
  }

  #request(random: Random, name = random.pick(this.#names)): string {
    const fields = [random.chance(0.15) ? bend(name, random) : name, random.pick(MODES)];
    for (let i = random.pick([0, 1, 2, 4, 4, 30]); i > 0; i--)
      fields.push(random.pick(OPTION_NAMES), random.pick(OPTION_VALUES));
    return packet(random.pick([1, 1, 1, 1, 1, 1, 1, 2]), Buffer.from(`${fields.join('\0')}\0`, 'latin1')).toString(
      'base64',
    );
  }

  #makeSeeds(): TftpInput[] {
    const from = ip('10.0.77.1');
    const acks = (count: number): TftpStep[] =>
      Array.from({ length: count }, () => ({ to: 'transfer', ack: 0, waitMs: PATIENCE_MS }));
    const request = (...fields: string[]): string =>
      packet(1, Buffer.from(`${fields.join('\0')}\0`, 'latin1')).toString('base64');
    const seed = (...steps: TftpStep[]): TftpInput => ({ protocol: 'tftp', from, fromPort: 2000, steps });
    return [
      ...this.#names.map((name) => seed({ to: 69, bytes: request(name, 'octet'), waitMs: PATIENCE_MS }, ...acks(4))),
      ...[
        ['blksize', '1428'],
        ['blksize', '8'],
        ['tsize', '0'],
        ['timeout', '255'],
        ['windowsize', '64'],
        ['blksize', '1428', 'tsize', '0', 'windowsize', '8', 'timeout', '1'],
      ].map((options) =>
        seed({ to: 69, bytes: request('big.bin', 'octet', ...options), waitMs: PATIENCE_MS }, ...acks(6)),
      ),
      seed({ to: 69, bytes: request('hello.txt', 'netascii'), waitMs: PATIENCE_MS }, ...acks(4)),
      { ...seed({ to: 69, bytes: request('hello.txt', 'octet'), waitMs: PATIENCE_MS }), fromPort: 0 },
      { ...seed({ to: 69, bytes: request('big.bin', 'octet', 'windowsize', '64'), waitMs: 0 }), from: ip('10.0.78.1') },
      { ...seed({ to: 69, bytes: request('missing', 'octet'), waitMs: 0 }), from: SERVER_IP },
    ];
  }
}

function bentStep(step: TftpStep, random: Random): TftpStep {
  if (step.bytes === undefined) return { ...step, ack: random.pick([-1, 1, 5, 65535]) };
  const bytes = Buffer.from(step.bytes, 'base64');
  const out = random.chance(0.6)
    ? havoc(bytes, random, LONGEST_PAYLOAD)
    : random.chance(0.3)
      ? splice(bytes, random.bytes(random.below(100)), random)
      : Buffer.concat([bytes.subarray(0, 2), Buffer.from(bend(bytes.toString('latin1', 2), random), 'latin1')]);
  return { ...step, bytes: out.subarray(0, LONGEST_PAYLOAD).toString('base64') };
}

function somewhere(random: Random): Pick<TftpInput, 'from' | 'fromPort'> {
  const fromPort = random.chance(0.9) ? random.between(1024, 4000) : random.pick([0, 1, 67, 68, 69, 65535]);
  if (random.chance(0.04))
    return {
      fromPort,
      from: ip(random.pick(['0.0.0.0', '255.255.255.255', '127.0.0.1', '224.0.0.1', '10.0.0.2', '10.15.255.255'])),
    };
  if (random.chance(0.06)) return { fromPort, from: ip(random.pick(HTTP_IMPERSONATED).ip) };
  return { fromPort, from: (ip('10.0.77.0') + (random.chance(0.05) ? 256 : 0) + 1 + random.below(CLIENTS)) as Ipv4 };
}

/** The Ethernet address that goes with an address of these clients. */
export function machineOf(from: Ipv4): Mac {
  const hex = (n: number): string => (n & 255).toString(16).padStart(2, '0');
  return mac(`02:77:00:00:${hex(from >>> 8)}:${hex(from)}`);
}

function packet(op: number, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(op >> 8, op & 255), body]);
}

function ackOf(block: number): Buffer {
  return packet(4, Buffer.of((block >> 8) & 255, block & 255));
}
