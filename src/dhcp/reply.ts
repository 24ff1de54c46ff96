import type { BootAnswer } from '../boot/client.ts';
import { formatIpv4, type Ipv4, netmaskOf, UNSPECIFIED } from '../model/ipv4.ts';
import { OPTION, type Option } from '../model/options.ts';
import { requests } from './client.ts';
import type { Exchange } from './exchange.ts';
import { eachOption, type Layers } from './given.ts';
import { type Options, read, write } from './optionSet.ts';
import { BOOTP_SIZE, type Bounds, BROADCAST_FLAG, type DhcpPacket, isBootp, MESSAGE } from './packet.ts';
import type { ServedNetwork } from './wire.ts';

/** What of an exchange goes into its reply. */
export type Answerable = Pick<Exchange, 'request' | 'client' | 'relay'>;

/** What a reply is composed of. `seconds` is the lease; absent in the answers to INFORM and BOOTP. */
export type ReplyTo = Layers & {
  readonly exchange: Answerable;
  readonly ip: Ipv4;
  readonly seconds?: number;
  readonly boot: BootAnswer;
};

/** The largest UDP payload that the client takes (option 57 counts the IP and UDP headers too): 300, or 548 to 1472 bytes. */
export function sizeLimit(request: DhcpPacket): number {
  if (isBootp(request)) return BOOTP_SIZE;
  const most = read(request.options, OPTION.maxMessageSize) ?? 576;
  return Math.min(Math.max(most, 576), 1500) - 28;
}

/**
 * What bounds the reply to a client. Programs of an operating system look for options wherever they may stand; firmware and loaders
 * are only trusted to where they say how much they take.
 */
export function boundsFor({ request, client: { stage } }: Answerable): Bounds {
  return {
    limit: sizeLimit(request),
    overload: !isBootp(request) && (stage === 'os' || request.options.has(OPTION.maxMessageSize.code)),
    asked: request.options.get(OPTION.parameterList.code) ?? ASKED_NOTHING,
  };
}

const ASKED_NOTHING = new Uint8Array();

/** An OFFER or ACK, or what there was before them, composed step by step. */
export function composeReply(type: 'offer' | 'ack' | 'bootp', to: ReplyTo): DhcpPacket {
  const options = new Map<number, Uint8Array>();
  if (type !== 'bootp') identify(options, type, to);
  lendTime(options, to);
  describeNetwork(options, to);
  nameBoot(options, to);
  const { request } = to.exchange;
  echo(options, request);
  const isInformed = to.seconds === undefined && type !== 'bootp';
  return {
    ...header(request, isInformed),
    ciaddr: type === 'offer' ? UNSPECIFIED : request.ciaddr,
    // The answer to an INFORM gives no address (RFC 2131 section 4.3.5).
    yiaddr: isInformed ? UNSPECIFIED : to.ip,
    ...bootFields(to),
    // A server of BOOTP says where the file is to be fetched, even if it names none (RFC 951 section 3).
    ...(type === 'bootp' ? { siaddr: serverOf(to.boot) ?? to.network.server } : {}),
    options,
  };
}

/** A NAK: nothing but who says so and why (RFC 2131 table 3). Relayed, it must be broadcast by the relay. */
export function composeNak(exchange: Answerable, network: ServedNetwork, reason: string): DhcpPacket {
  const { request } = exchange;
  const options = new Map<number, Uint8Array>();
  write(options, OPTION.messageType, MESSAGE.nak);
  write(options, OPTION.serverId, serverIdentifier(exchange, network));
  write(options, OPTION.message, reason);
  echo(options, request);
  return {
    ...header(request, true),
    ciaddr: UNSPECIFIED,
    yiaddr: UNSPECIFIED,
    siaddr: UNSPECIFIED,
    sname: '',
    file: '',
    options,
  };
}

/** Where to boot from, in the fields that BOOTP has for it. */
function bootFields({ boot, network }: ReplyTo): Pick<DhcpPacket, 'siaddr' | 'sname' | 'file'> {
  if (boot.kind === 'none') return { siaddr: boot.nextServer ?? UNSPECIFIED, sname: '', file: '' };
  const server = serverOf(boot) ?? network.server;
  return { siaddr: server, sname: formatIpv4(server), file: boot.bootFile };
}

/** The boot server that the operator names. */
function serverOf(boot: BootAnswer): Ipv4 | undefined {
  return 'nextServer' in boot ? boot.nextServer : undefined;
}

/** A relay passes on what gives no address by broadcast, where it is asked to, and otherwise drops it. */
function header({ xid, flags, giaddr, chaddr }: DhcpPacket, isWithoutAddress: boolean) {
  const broadcast = isWithoutAddress && giaddr !== UNSPECIFIED ? BROADCAST_FLAG : 0;
  return { op: 'reply', hops: 0, secs: 0, xid, flags: flags | broadcast, giaddr, chaddr } as const;
}

function identify(options: Map<number, Uint8Array>, type: 'offer' | 'ack', { exchange, network }: ReplyTo): void {
  write(options, OPTION.messageType, MESSAGE[type]);
  write(options, OPTION.serverId, serverIdentifier(exchange, network));
}

function serverIdentifier({ relay }: Answerable, network: ServedNetwork): Ipv4 {
  return relay?.serverOverride ?? network.server;
}

function lendTime(options: Map<number, Uint8Array>, { seconds }: ReplyTo): void {
  if (seconds === undefined) return;
  const forever = seconds === 0xffffffff;
  write(options, OPTION.leaseTime, seconds);
  write(options, OPTION.renewalTime, forever ? seconds : Math.floor(seconds / 2));
  write(options, OPTION.rebindingTime, forever ? seconds : Math.floor(seconds * 0.875));
}

/** What the network, and over it each layer, says: of what the client asks for, or all if it does not say. */
function describeNetwork(options: Map<number, Uint8Array>, to: ReplyTo): void {
  const { exchange, network, node } = to;
  const asked = exchange.request.options.get(OPTION.parameterList.code);
  const wanted = (code: number) => asked === undefined || asked.includes(code);
  write(options, OPTION.subnetMask, netmaskOf(network.subnet.prefix));
  for (const [code, value] of networkOptions(network)) if (wanted(code)) options.set(code, value);
  if (node && wanted(OPTION.hostname.code)) write(options, OPTION.hostname, node.name);
  // What the operator wrote out by hand goes out asked for or not where the client cannot ask: by number it is meant.
  eachOption(to, (code, value) => {
    if (wanted(code) || code >= FIRST_SITE_SPECIFIC) options.set(code, value);
  });
}

/** Options from 224 on belong to the site (RFC 3942); clients that use them often do not ask for them. */
const FIRST_SITE_SPECIFIC = 224;

const NETWORK_OPTIONS = new WeakMap<ServedNetwork, Options>();

function networkOptions(network: ServedNetwork): Options {
  let options = NETWORK_OPTIONS.get(network);
  if (!options) {
    options = encodeNetwork(network);
    NETWORK_OPTIONS.set(network, options);
  }
  return options;
}

function encodeNetwork(network: ServedNetwork): Options {
  const options = new Map<number, Uint8Array>();
  // RFC 3442: a client that takes option 121 looks at nothing else for routes, so it comes before option 3.
  if (network.routes.length > 0) write(options, OPTION.routes, network.routes);
  if (network.gateway !== undefined) write(options, OPTION.routers, [network.gateway]);
  if (network.dns.length > 0) write(options, OPTION.dns, network.dns);
  if (network.domain !== undefined) write(options, OPTION.domain, network.domain);
  if (network.search.length > 0) write(options, OPTION.search, network.search);
  write(options, OPTION.broadcast, network.broadcast);
  if (network.ntp.length > 0) write(options, OPTION.ntp, network.ntp);
  if (network.mtu !== undefined) write(options, OPTION.mtu, network.mtu);
  return options;
}

/** iPXE waits two seconds for a proxy that it need not wait for (175.176). */
const NO_PROXY_DHCP = Buffer.from([176, 1, 1]);
/** PXE discovery control (43.6): take the boot file of this very reply, look for no boot server. */
const BOOT_FROM_REPLY = Buffer.from([6, 1, 8, 255]);

function nameBoot(options: Map<number, Uint8Array>, { exchange, network, boot }: ReplyTo): void {
  const { request, client } = exchange;
  if (boot.kind !== 'boot' || !client.asksToBoot) return;
  // With a boot file of their own, operators may also have their own way with the options that go with it.
  const isTaken = (code: number) => boot.reason.code === 'operator' && options.has(code);
  const give = <T>(option: Option<T>, value: T) => {
    if (!isTaken(option.code)) write(options, option, value);
  };
  const server = serverOf(boot) ?? network.server;
  give(OPTION.bootFile, boot.bootFile);
  give(OPTION.tftpServer, formatIpv4(server));
  if (requests(request.options, OPTION.tftpServers.code)) give(OPTION.tftpServers, [server]);
  if ('pathPrefix' in boot && boot.pathPrefix !== undefined) write(options, OPTION.pathPrefix, boot.pathPrefix);
  if (client.ipxe) give(OPTION.ipxe, NO_PROXY_DHCP);
  if (client.vendorClass !== undefined) {
    give(OPTION.vendorClass, client.vendorClass);
    if (client.vendorClass === 'PXEClient') give(OPTION.vendor, BOOT_FROM_REPLY);
  }
}

/** RFC 6842 for the client identifier, RFC 4578 for the machine identifier, RFC 3046 for the relay's option. */
function echo(options: Map<number, Uint8Array>, request: DhcpPacket): void {
  for (const code of [OPTION.clientId.code, OPTION.relayAgent.code]) {
    const value = request.options.get(code);
    if (value !== undefined) options.set(code, value);
  }
  const machine = request.options.get(OPTION.clientUuid.code);
  if (machine?.length === 17 && machine[0] === 0) options.set(OPTION.clientUuid.code, machine);
}
