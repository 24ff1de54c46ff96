import { randomInt } from 'node:crypto';
import { read, write } from '../dhcp/optionSet.ts';
import { BROADCAST_FLAG, type DhcpPacket, decodePacket, encodePacket, MESSAGE, requestFrom } from '../dhcp/packet.ts';
import type { FaultSink } from '../faults.ts';
import { type Ipv4, LIMITED_BROADCAST, UNSPECIFIED } from '../model/ipv4.ts';
import { type Mac, parseMac } from '../model/mac.ts';
import { OPTION } from '../model/options.ts';
import { openRawSender, type RawSender } from '../net/raw.ts';
import { UdpReceiver } from '../net/receiver.ts';
import { StormFailure } from './steps.ts';

/** Who asks: firmware that boots over the network, iPXE that it has loaded, or the operating system. */
export type DhcpAsker = 'firmware' | 'loader' | 'system';

/** What a DHCP exchange gave. `nextServer`: where the boot file is fetched by TFTP. */
export type Given = {
  readonly ip: Ipv4;
  readonly prefix: number;
  readonly server: Ipv4;
  readonly nextServer: Ipv4;
  readonly bootFile: string;
};

/** Firmware asks again after 4 s, then after twice that, four times in all; so do the others here. */
const FIRST_WAIT_MS = 4000;
const TRIES = 5;
const BOOTPC = 68;
const BOOTPS = 67;
const BROADCAST_MAC = parseMac('ff:ff:ff:ff:ff:ff') as Mac;
const RECEIVE_BYTES = 8 * 1024 * 1024;
const LONGEST = 1500;

/** PXE's wishes: subnet mask, router, boot file, vendor's options and so on. */
const ASKED = Uint8Array.of(1, 3, 6, 12, 15, 43, 54, 66, 67, 150, 210);
/** iPXE's option 175 says that it has HTTP (sub-option 19). */
const IPXE_FEATURES = Uint8Array.of(19, 1, 1, 24, 1, 1, 39, 1, 1);

type Waiting = { readonly resolve: (reply: DhcpPacket) => void; readonly wanted: readonly number[] };

/** The DHCP side of all simulated nodes on one interface: their requests leave as frames from 0.0.0.0, replies are broadcast to them. */
export class StormDhcp {
  readonly #sender: RawSender;
  readonly #receiver: UdpReceiver;
  readonly #waiting = new Map<number, Waiting>();
  #resent = 0;

  /** Throws PORT_IN_USE, PRIVILEGE_MISSING or INTERFACE_MISSING. */
  constructor(interfaceName: string, faulted: FaultSink) {
    this.#receiver = new UdpReceiver({
      interface: interfaceName,
      port: BOOTPC,
      buffer: RECEIVE_BYTES,
      longest: LONGEST,
      received: (bytes) => this.#take(bytes),
      faulted,
    });
    try {
      this.#sender = openRawSender(interfaceName);
    } catch (error) {
      this.#receiver.close();
      throw error;
    }
  }

  /** How many requests were sent again because no answer came in time. */
  get resent(): number {
    return this.#resent;
  }

  close(): void {
    this.#receiver.close();
    this.#sender.close();
  }

  /**
   * DISCOVER, OFFER, REQUEST, ACK. `arch`: what firmware says in option 93. Throws StormFailure (no-answer, nak), or what `signal`
   * is aborted with.
   */
  async exchange(mac: Mac, asker: DhcpAsker, arch: number, signal: AbortSignal): Promise<Given> {
    const xid = randomInt(2 ** 32);
    const offer = await this.#ask(requestOf(mac, xid, asker, arch, MESSAGE.discover), [MESSAGE.offer], signal);
    const server = read(offer.options, OPTION.serverId);
    if (server === undefined) throw new StormFailure('no-answer', 'the offer names no server');
    const request = requestOf(mac, xid, asker, arch, MESSAGE.request, { ip: offer.yiaddr, server });
    const reply = await this.#ask(request, [MESSAGE.ack, MESSAGE.nak], signal);
    if (read(reply.options, OPTION.messageType) === MESSAGE.nak) throw new StormFailure('nak');
    const mask = read(reply.options, OPTION.subnetMask) ?? (0xffff_ffff as Ipv4);
    return {
      ip: reply.yiaddr,
      prefix: 32 - Math.log2(2 ** 32 - mask),
      server,
      nextServer: reply.siaddr === UNSPECIFIED ? server : reply.siaddr,
      bootFile: reply.file || (read(reply.options, OPTION.bootFile) ?? '').replace(/\0.*$/s, ''),
    };
  }

  async #ask(packet: DhcpPacket, wanted: readonly number[], signal: AbortSignal): Promise<DhcpPacket> {
    const bytes = encodePacket(packet);
    const { promise, resolve, reject } = Promise.withResolvers<DhcpPacket>();
    this.#waiting.set(packet.xid, { resolve, wanted });
    const aborted = () => reject(signal.reason);
    signal.addEventListener('abort', aborted, { once: true });
    let timer: NodeJS.Timeout | undefined;
    const send = (tries: number): void => {
      if (tries > TRIES) {
        reject(new StormFailure('no-answer', `DHCP: no answer to ${TRIES} requests`));
        return;
      }
      if (tries > 1) this.#resent++;
      this.#sender.send(TO, FROM, bytes);
      timer = setTimeout(send, FIRST_WAIT_MS * 2 ** (tries - 1), tries + 1);
    };
    try {
      signal.throwIfAborted();
      send(1);
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
      this.#waiting.delete(packet.xid);
    }
  }

  #take(bytes: Buffer): void {
    const decoded = decodePacket(bytes);
    if (!decoded.ok || decoded.packet.op !== 'reply') return;
    const { packet } = decoded;
    const waiting = this.#waiting.get(packet.xid);
    const type = read(packet.options, OPTION.messageType);
    if (type !== undefined && waiting?.wanted.includes(type)) waiting.resolve(packet);
  }
}

const TO = { ip: LIMITED_BROADCAST, port: BOOTPS, mac: BROADCAST_MAC };
const FROM = { ip: UNSPECIFIED, port: BOOTPC };

/** A request as that client sends it; `chosen` is there in a REQUEST. */
export function requestOf(
  mac: Mac,
  xid: number,
  asker: DhcpAsker,
  arch: number,
  type: number,
  chosen?: { readonly ip: Ipv4; readonly server: Ipv4 },
): DhcpPacket {
  const options = new Map<number, Uint8Array>();
  write(options, OPTION.messageType, type);
  write(options, OPTION.parameterList, ASKED);
  write(options, OPTION.maxMessageSize, LONGEST - 28);
  if (chosen !== undefined) {
    write(options, OPTION.requestedAddress, chosen.ip);
    write(options, OPTION.serverId, chosen.server);
  }
  if (asker !== 'system') {
    write(options, OPTION.vendorClass, `PXEClient:Arch:${String(arch).padStart(5, '0')}:UNDI:002001`);
    write(options, OPTION.clientArch, [arch]);
  }
  if (asker === 'loader') {
    write(options, OPTION.userClass, Buffer.from('iPXE'));
    write(options, OPTION.ipxe, IPXE_FEATURES);
  }
  return { ...requestFrom(mac, options), xid, flags: BROADCAST_FLAG };
}
