import { createSocket, type Socket } from 'node:dgram';
import { get } from 'node:http';
import { formatIpv4, type Ipv4, LIMITED_BROADCAST, UNSPECIFIED } from '../../src/model/ipv4.ts';
import { type Mac, writeMac } from '../../src/model/mac.ts';
import { readDhcp, writeOptions } from '../fuzz/dhcpBytes.ts';
import { BROADCAST_MAC, readUdpFrame, writeUdpFrame } from '../rig/frames.ts';
import { FROM_SERVER } from '../rig/network.ts';
import { Wire } from '../rig/wire.ts';

/** The services that are asked all the time, each by a request that a booting node sends. */
export const SERVICES = ['reserved', 'http', 'tftp'] as const;
export type Service = (typeof SERVICES)[number];

const EVERY_MS = 60;
/** What takes longer than this is asked again. */
const PATIENCE_MS = 1000;

/** Asks each service again and again, and remembers when it last answered rightly. */
export class Prober {
  readonly #wire = new Wire('rack');
  readonly #from = new Wire(FROM_SERVER.rack, (frame) => this.#hear(frame));
  readonly #nodes: readonly (readonly [Mac, Ipv4])[];
  readonly #file: { readonly name: string; readonly content: string };
  readonly #answers: Record<Service, number[]> = { reserved: [], http: [], tftp: [] };
  readonly #timers: NodeJS.Timeout[];
  readonly #wrong = new Map<string, number>();
  #turn = 0;
  #asking:
    | { readonly xid: number; readonly mac: Mac; readonly ip: Ipv4; readonly since: number; asked: 'offer' | 'ack' }
    | undefined;
  #http = false;
  #tftp: Socket | undefined;

  /** `reserved`: nodes with addresses of their own, which are asked for in turn. `file` is fetched over HTTP and TFTP. */
  constructor(reserved: ReadonlyMap<string, Ipv4>, file: { readonly name: string; readonly content: string }) {
    this.#nodes = [...reserved] as [Mac, Ipv4][];
    this.#file = file;
    this.#timers = [() => this.#askDhcp(), () => this.#askHttp(), () => this.#askTftp()].map((ask) =>
      setInterval(ask, EVERY_MS),
    );
  }

  /** The time (ms since the epoch) of the first right answer to a request that was sent after `since`. */
  firstAfter(service: Service, since: number): number | undefined {
    return this.#answers[service].find((at) => at > since);
  }

  /** The longest time without a right answer between two times. */
  longestGap(service: Service, from: number, to: number): number {
    const times = [from, ...this.#answers[service].filter((at) => at > from && at < to), to];
    return Math.max(...times.slice(1).map((at, i) => at - (times[i] ?? at)));
  }

  /** The wrong answers since the last call. */
  takeWrong(): string[] {
    const wrong = [...this.#wrong].map(([words, count]) => `${words}${count > 1 ? ` (${count} times)` : ''}`);
    this.#wrong.clear();
    return wrong;
  }

  /** Forgets what it saw before `before`. */
  forget(before: number): void {
    for (const service of SERVICES) this.#answers[service] = this.#answers[service].filter((at) => at >= before);
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    const socket = this.#tftp;
    this.#tftp = undefined;
    socket?.close();
    this.#wire.close();
    this.#from.close();
  }

  #note(words: string): void {
    this.#wrong.set(words, (this.#wrong.get(words) ?? 0) + 1);
  }

  #askDhcp(): void {
    if (this.#asking && performance.now() - this.#asking.since < PATIENCE_MS) return;
    const [mac, ip] = this.#nodes[this.#turn++ % this.#nodes.length] ?? [];
    if (mac === undefined || ip === undefined) return;
    this.#asking = { xid: 0x70000000 + this.#turn, mac, ip, since: performance.now(), asked: 'offer' };
    this.#send(mac, [[53, Buffer.of(1)]]);
  }

  #send(mac: Mac, options: readonly [number, Buffer][]): void {
    const head = Buffer.alloc(240);
    head.set([1, 1, 6]);
    head.writeUInt32BE(this.#asking?.xid ?? 0, 4);
    head.writeUInt16BE(0x8000, 10);
    writeMac(mac, head, 28);
    head.writeUInt32BE(0x63825363, 236);
    const payload = Buffer.concat([writeOptions(head, options), Buffer.alloc(40)]);
    const about = { from: UNSPECIFIED, fromPort: 68, to: LIMITED_BROADCAST, toPort: 67 };
    this.#wire.send(writeUdpFrame({ ...about, fromMac: mac, toMac: BROADCAST_MAC, payload }));
  }

  #hear(frame: Buffer): void {
    const datagram = readUdpFrame(frame);
    const answer = datagram?.fromPort === 67 ? readDhcp(datagram.payload) : undefined;
    const asking = this.#asking;
    if (!answer || !asking || answer.xid !== asking.xid) return;
    if (answer.type === 6 || answer.yiaddr !== asking.ip) {
      this.#note(`RESERVED ${asking.mac} got ${answer.type === 6 ? 'a NAK' : formatIpv4(answer.yiaddr)}`);
      this.#asking = undefined;
    } else if (asking.asked === 'offer' && answer.type === 2) {
      asking.asked = 'ack';
      const server = answer.options.get(54) ?? Buffer.alloc(4);
      this.#send(asking.mac, [
        [53, Buffer.of(3)],
        [50, datagram?.payload.subarray(16, 20) ?? Buffer.alloc(4)],
        [54, server],
      ]);
    } else if (asking.asked === 'ack' && answer.type === 5) {
      this.#answers.reserved.push(Date.now());
      this.#asking = undefined;
    }
  }

  #askHttp(): void {
    if (this.#http) return;
    this.#http = true;
    const request = get(
      { host: '10.0.0.2', port: 8080, path: `/boot/files/${this.#file.name}`, timeout: PATIENCE_MS, agent: false },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        response.on('error', () => {});
        response.on('end', () => {
          if (response.statusCode === 200 && body === this.#file.content) this.#answers.http.push(Date.now());
          else if (response.statusCode === 200) this.#note(`HTTP gave ${body.length} other bytes`);
        });
      },
    );
    const deadline = setTimeout(() => request.destroy(), PATIENCE_MS);
    request.on('error', () => {});
    request.on('close', () => {
      clearTimeout(deadline);
      this.#http = false;
    });
  }

  #askTftp(): void {
    if (this.#tftp) return;
    const socket = createSocket('udp4');
    this.#tftp = socket;
    const done = (): void => {
      clearTimeout(deadline);
      if (this.#tftp !== socket) return;
      this.#tftp = undefined;
      socket.close();
    };
    const deadline = setTimeout(done, PATIENCE_MS);
    socket.on('error', done);
    socket.on('message', (bytes, { port, address }) => {
      if (this.#tftp !== socket) return;
      // A short file is one block.
      if (bytes.readUInt16BE(0) === 3 && bytes.toString('utf8', 4) === this.#file.content)
        this.#answers.tftp.push(Date.now());
      else this.#note(`TFTP sent ${bytes.toString('latin1', 0, 60)}`);
      socket.send(Buffer.of(0, 4, 0, 1), port, address, done);
    });
    socket.send(`\0\x01${this.#file.name}\0octet\0`, 69, '10.0.0.2', (error) => {
      if (error) done();
    });
  }
}
