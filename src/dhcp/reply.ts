import type { BootAnswer } from '../boot/client.ts';
import { formatIpv4, type Ipv4, netmaskOf, UNSPECIFIED } from '../net/ipv4.ts';
import type { SiteNode } from '../site/model.ts';
import { type Client, requests } from './client.ts';
import { address, addresses, domainNames, OPTION, routes, text, u8, u16, u32 } from './options.ts';
import { BROADCAST_FLAG, type DhcpPacket, MESSAGE, type Options } from './packet.ts';
import type { ServedNetwork } from './policy.ts';
import { relayOf } from './relay.ts';

/** What a reply is composed of. `seconds` is the lease; absent in the answer to an INFORM. */
export type ReplyTo = {
  readonly request: DhcpPacket;
  readonly client: Client;
  readonly network: ServedNetwork;
  readonly node: SiteNode | undefined;
  readonly ip: Ipv4;
  readonly seconds?: number;
  readonly boot: BootAnswer;
};

/** The largest UDP payload that the client takes (option 57 counts the IP and UDP headers too), 548 to 1472 bytes. */
export function sizeLimit(request: DhcpPacket): number {
  const most = u16.decode(request.options.get(OPTION.maxMessageSize) ?? NOTHING) ?? 576;
  return Math.min(Math.max(most, 576), 1500) - 28;
}

/** An OFFER or ACK, composed step by step. */
export function composeReply(type: 'offer' | 'ack', to: ReplyTo): DhcpPacket {
  const options = new Map<number, Uint8Array>();
  identify(options, type, to);
  lendTime(options, to);
  describeNetwork(options, to);
  const boots = tellToBoot(options, to);
  echo(options, to.request);
  return {
    ...header(to.request),
    // The answer to an INFORM gives no address (RFC 2131 section 4.3.5).
    ciaddr: to.seconds === undefined || type === 'ack' ? to.request.ciaddr : UNSPECIFIED,
    yiaddr: to.seconds === undefined ? UNSPECIFIED : to.ip,
    siaddr: boots ? to.network.server : UNSPECIFIED,
    sname: boots ? formatIpv4(to.network.server) : '',
    file: to.boot.kind === 'boot' ? to.boot.bootFile : '',
    options,
  };
}

/** A NAK: nothing but who says so and why (RFC 2131 table 3). Relayed, it must be broadcast by the relay. */
export function composeNak(request: DhcpPacket, network: ServedNetwork, reason: string): DhcpPacket {
  const options = new Map<number, Uint8Array>([
    [OPTION.messageType, u8.encode(MESSAGE.nak)],
    [OPTION.serverIdentifier, address.encode(serverIdentifier(request, network))],
    [OPTION.message, text.encode(reason)],
  ]);
  echo(options, request);
  return {
    ...header(request),
    flags: request.flags | (request.giaddr === UNSPECIFIED ? 0 : BROADCAST_FLAG),
    ciaddr: UNSPECIFIED,
    yiaddr: UNSPECIFIED,
    siaddr: UNSPECIFIED,
    sname: '',
    file: '',
    options,
  };
}

const NOTHING = new Uint8Array();

function header(request: DhcpPacket) {
  const { xid, flags, giaddr, chaddr } = request;
  return { op: 'reply', hops: 0, secs: 0, xid, flags, giaddr, chaddr } as const;
}

function identify(options: Map<number, Uint8Array>, type: 'offer' | 'ack', { request, network }: ReplyTo): void {
  options.set(OPTION.messageType, u8.encode(MESSAGE[type]));
  options.set(OPTION.serverIdentifier, address.encode(serverIdentifier(request, network)));
}

function serverIdentifier(request: DhcpPacket, network: ServedNetwork): Ipv4 {
  return relayOf(request)?.serverOverride ?? network.server;
}

function lendTime(options: Map<number, Uint8Array>, { seconds }: ReplyTo): void {
  if (seconds === undefined) return;
  const forever = seconds === 0xffffffff;
  options.set(OPTION.leaseTime, u32.encode(seconds));
  options.set(OPTION.renewalTime, u32.encode(forever ? seconds : Math.floor(seconds / 2)));
  options.set(OPTION.rebindingTime, u32.encode(forever ? seconds : Math.floor(seconds * 0.875)));
}

/** What the network, and over it the node, says: of what the client asks for, or all if it does not say. */
function describeNetwork(options: Map<number, Uint8Array>, { request, network, node }: ReplyTo): void {
  const asked = request.options.get(OPTION.parameterRequestList);
  const wanted = (code: number) => asked === undefined || asked.includes(code);
  options.set(OPTION.subnetMask, address.encode(netmaskOf(network.subnet.prefix)));
  for (const [code, value] of networkOptions(network)) if (wanted(code)) options.set(code, value);
  if (node && wanted(OPTION.hostname)) options.set(OPTION.hostname, text.encode(node.name));
  // What the operator wrote out by hand goes out asked for or not where the client cannot ask: by number it is meant.
  for (const [code, value] of [...network.options, ...(node?.options ?? [])]) {
    if (wanted(code) || code >= FIRST_SITE_SPECIFIC) options.set(code, value);
  }
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
  if (network.routes.length > 0) options.set(OPTION.classlessStaticRoutes, routes.encode(network.routes));
  if (network.gateway !== undefined) options.set(OPTION.router, addresses.encode([network.gateway]));
  if (network.dns.length > 0) options.set(OPTION.dnsServers, addresses.encode(network.dns));
  if (network.domain !== undefined) options.set(OPTION.domainName, text.encode(network.domain));
  if (network.search.length > 0) options.set(OPTION.domainSearch, domainNames.encode(network.search));
  options.set(OPTION.broadcastAddress, address.encode(network.broadcast));
  if (network.ntp.length > 0) options.set(OPTION.ntpServers, addresses.encode(network.ntp));
  if (network.mtu !== undefined) options.set(OPTION.interfaceMtu, u16.encode(network.mtu));
  return options;
}

/** iPXE waits two seconds for a proxy that it need not wait for (175.176). */
const NO_PROXY_DHCP = Buffer.from([176, 1, 1]);
/** PXE discovery control (43.6): take the boot file of this very reply, look for no boot server. */
const BOOT_FROM_REPLY = Buffer.from([6, 1, 8, 255]);

function tellToBoot(options: Map<number, Uint8Array>, { request, client, network, boot }: ReplyTo): boolean {
  if (boot.kind !== 'boot') return false;
  const server = formatIpv4(network.server);
  options.set(OPTION.bootfileName, text.encode(boot.bootFile));
  options.set(OPTION.tftpServerName, text.encode(server));
  if (requests(request.options, OPTION.tftpServerAddresses)) {
    options.set(OPTION.tftpServerAddresses, addresses.encode([network.server]));
  }
  if (boot.pathPrefix !== undefined) options.set(OPTION.pxelinuxPathPrefix, text.encode(boot.pathPrefix));
  if (boot.configFile !== undefined) options.set(OPTION.pxelinuxConfigFile, text.encode(boot.configFile));
  if (client.ipxe) options.set(OPTION.ipxeEncapsulated, NO_PROXY_DHCP);
  if (client.vendorClass !== undefined) {
    options.set(OPTION.vendorClass, text.encode(client.vendorClass));
    if (client.vendorClass === 'PXEClient') options.set(OPTION.vendorSpecific, BOOT_FROM_REPLY);
  }
  return true;
}

/** RFC 6842 for the client identifier, RFC 4578 for the machine identifier, RFC 3046 for the relay's option. */
function echo(options: Map<number, Uint8Array>, request: DhcpPacket): void {
  for (const code of [OPTION.clientIdentifier, OPTION.relayAgentInformation]) {
    const value = request.options.get(code);
    if (value !== undefined) options.set(code, value);
  }
  const machine = request.options.get(OPTION.clientMachineIdentifier);
  if (machine?.length === 17 && machine[0] === 0) options.set(OPTION.clientMachineIdentifier, machine);
}
