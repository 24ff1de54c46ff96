import { broadcastOf, formatIpv4, type Ipv4, inSubnet, parseIpv4 } from '../../../model/ipv4.ts';
import { type Mac, macFromBytes } from '../../../model/mac.ts';
import { hostlessWords, isHost } from '../../../site/networks.ts';
import { reason, type Why } from '../../reason.ts';
import { textBytes } from '../meaning/optionValues.ts';
import type { Reading } from '../meaning/reading.ts';
import { chainOf, type Host, type Scope, type Setting, settingsIn } from '../meaning/scopes.ts';
import { flagOf } from '../meaning/words.ts';
import { constantOf } from '../text/constants.ts';
import { hexBytes } from '../text/data.ts';
import type { Datum } from '../text/tree.ts';
import type { Drafted } from './networks.ts';

/** A host that becomes a node: its addresses, and the network that its address lies in. */
export type HostNode = {
  readonly host: Host;
  readonly macs: Mac[];
  readonly ip?: Ipv4;
  readonly network?: Drafted;
};

/** The machines of a configuration: hosts with a hardware address, those of one address or one card joined. */
export function hostNodesOf(networks: readonly Drafted[], reading: Reading): readonly HostNode[] {
  const machines: HostNode[] = [];
  const byMac = new Map<Mac, HostNode>();
  const byIp = new Map<Ipv4, HostNode>();
  for (const host of reading.outline.hosts) {
    if (isRefused(host)) continue;
    const found = reading.attempt(() => machineOf(host, networks, reading));
    if (found === undefined) continue;
    const twin = found.macs.map((mac) => byMac.get(mac)).find((one) => one !== undefined);
    const neighbour = found.ip === undefined ? undefined : byIp.get(found.ip);
    if (twin !== undefined) {
      const why = reason`host ${twin.host.name} has the same hardware address, and a node has one address: this one is left out`;
      reading.tellOf('left', host.place, `host ${host.name}`, why);
    } else if (neighbour !== undefined) {
      neighbour.macs.push(...found.macs);
      const why = reason`it has the address of host ${neighbour.host.name}: its hardware address is added to that node`;
      reading.tellOf('changed', host.place, `host ${host.name}`, why);
      reading.leaveOut(host.scope, reason`its node has what host ${neighbour.host.name} says`);
      const [own, other] = [host, neighbour.host].map(({ scope }) => scope.set.get('fixed-address'));
      if (own !== undefined && other !== undefined) reading.standsWith(own, other);
    } else {
      machines.push(found);
      if (found.ip !== undefined) byIp.set(found.ip, found);
    }
    for (const mac of found.macs) if (!byMac.has(mac)) byMac.set(mac, neighbour ?? found);
  }
  return machines;
}

function machineOf(host: Host, networks: readonly Drafted[], reading: Reading): HostNode | undefined {
  const macs = macsOf(host, reading);
  if (macs.length === 0) return undefined;
  const group = host.scope.set.get('group');
  if (group !== undefined) reading.tell('left', group, 'write the host into the block of the group');
  return { host, macs, ...addressOf(host, networks, reading) };
}

/** Whether a host says `deny booting`: dhcpd answers it nothing. */
function isRefused({ scope }: Host): boolean {
  const booting = settingsIn(scope).get('allow booting');
  return booting?.kind === 'permit' && booting.verb !== 'allow';
}

/** The hardware addresses of hosts that are to be given nothing. */
export function refusedHosts(reading: Reading): readonly { readonly host: Host; readonly macs: readonly Mac[] }[] {
  return reading.outline.hosts.filter(isRefused).flatMap((host) => {
    const macs = reading.attempt(() => macsOf(host, reading)) ?? [];
    return macs.length === 0 ? [] : [{ host, macs }];
  });
}

/** What refuses a host. */
export function refusalOf({ scope }: Host): Setting | undefined {
  return settingsIn(scope).get('allow booting');
}

/** The hardware addresses of a host: by `hardware`, else by a client identifier that holds one. */
function macsOf({ name, place, hardware, scope }: Host, reading: Reading): Mac[] {
  const macs: Mac[] = [];
  for (const statement of hardware) {
    const { type, address } = statement;
    if (type !== 'ethernet') {
      reading.tellOf('left', place, `host ${name}`, reason`nodes are known by Ethernet addresses, not by ${type}`);
      continue;
    }
    const { bytes, impossible } = cardOf(address);
    if (impossible === undefined) macs.push(macFromBytes(bytes));
    else {
      reading.tellOf('left', place, `host ${name}`, reason`${impossible}: write it with its real address as a node`);
    }
  }
  if (hardware.length > 0) {
    tellOfIdentifier(scope, reading);
    return [...new Set(macs)];
  }

  const identifier = identifierOf(scope);
  if (identifier?.length === 7 && identifier[0] === 1) {
    reading.tellOf('changed', place, `host ${name}`, 'known by the hardware address in its client identifier');
    return [macFromBytes(identifier, 1)];
  }
  const why = identifier === undefined ? 'it has no hardware address' : 'it is known by a client identifier only';
  reading.tellOf('left', place, `host ${name}`, reason`${why}: write its MAC address as a node`);
  return [];
}

/** The bytes of a hardware address, or why no network card has it. */
function cardOf(address: Datum): { readonly bytes: Uint8Array; readonly impossible?: Why | undefined } {
  const { text } = address;
  if (/^[0-9A-Fa-f]{3,}$/.test(text)) {
    return {
      bytes: new Uint8Array(),
      impossible: reason`the bytes of an Ethernet address stand apart by colons, those of ${text} do not`,
    };
  }
  const bytes = text === '' ? new Uint8Array() : hexBytes(address);
  return { bytes, impossible: whyNoCard(bytes, text) };
}

/** Why no network card has this address. */
function whyNoCard(bytes: Uint8Array, text: string): Why | undefined {
  if (bytes.length !== 6) return reason`an Ethernet address has 6 bytes, this one has ${bytes.length}`;
  if (((bytes[0] ?? 0) & 1) === 1) return reason`${text} is the address of a group of machines`;
  return bytes.every((byte) => byte === 0) ? reason`${text} is no card's address` : undefined;
}

/** A host that says both is found by its client identifier first in dhcpd. */
function tellOfIdentifier({ set }: Scope, reading: Reading): void {
  const setting = set.get('option dhcp.dhcp-client-identifier');
  if (setting === undefined) return;
  reading.tell('changed', setting, 'the node is known by its MAC address, whatever client identifier it sends');
}

function identifierOf({ set }: Scope): Uint8Array | undefined {
  const setting = set.get('option dhcp.dhcp-client-identifier') ?? set.get('uid');
  if (setting?.kind !== 'option' && setting?.kind !== 'parameter') return undefined;
  const datum: Datum | undefined =
    'data' in setting.value ? setting.value.data[0]?.[0] : constantOf(setting.value.expression);
  if (datum === undefined) return undefined;
  return datum.kind === 'text' ? textBytes(datum) : hexBytes(datum);
}

/** The one of a host's fixed addresses that lies in a network; a node has one. */
function addressOf(host: Host, networks: readonly Drafted[], reading: Reading): Pick<HostNode, 'ip' | 'network'> {
  const setting = host.scope.set.get('fixed-address');
  if (setting?.kind !== 'parameter') return {};
  const tell = (kind: 'changed' | 'left', why: Why) => reading.tell(kind, setting, why);
  if (!('data' in setting.value)) {
    tell('left', 'it is computed: write the address under `ip:`');
    return {};
  }
  const found: { readonly ip: Ipv4; readonly network: Drafted }[] = [];
  for (const { text } of setting.value.data.flat()) {
    const ip = parseIpv4(text) ?? reading.context.resolved.get(text);
    const network = ip === undefined ? undefined : networks.find(({ block }) => inSubnet(block, ip));
    if (ip === undefined) tell('left', reason`${text} has no address here: write it under \`ip:\``);
    else if (network === undefined) tell('left', reason`${text} lies in no subnet of this configuration`);
    else {
      const refusal = notForHosts(ip, network);
      if (refusal === undefined) found.push({ ip, network });
      else tell('left', refusal);
    }
  }
  const [first, ...more] = found;
  if (more.length > 0) {
    const others = more.map(({ ip }) => formatIpv4(ip)).join(', ');
    tell(
      'changed',
      reason`a node has one address: ${formatIpv4(first?.ip ?? (0 as Ipv4))} is kept, ${others} left out`,
    );
  }
  return first ?? {};
}

function notForHosts(ip: Ipv4, { block, text, name }: Drafted): Why | undefined {
  const declared = text.broadcast === undefined ? undefined : parseIpv4(text.broadcast);
  const network = { subnet: block, broadcast: declared ?? broadcastOf(block) };
  if (!isHost(network, ip)) return reason`${formatIpv4(ip)} is ${hostlessWords(network, ip)} of network ${name}`;
  if (formatIpv4(ip) === text.gateway)
    return reason`${formatIpv4(ip)} is the gateway of network ${name}, which a node cannot be`;
  return formatIpv4(ip) === text.server ? reason`${formatIpv4(ip)} is this server's own address` : undefined;
}

/** The settings of a host and of the groups around it, but for those that its network has as well. */
export function groupSettings(scope: Scope, network: Drafted | undefined) {
  const shared = new Set(chainOf(network?.subnet.scope ?? scope));
  const isOwn = (around: Scope) => around.kind !== 'global' && (network === undefined || !shared.has(around));
  return settingsIn(scope, isOwn);
}

/** The name that a host's client gets: its `host-name`, or that of the declaration; `undefined` if it gets none. */
export function nameSent({ scope, name }: Host): string | undefined {
  const settings = settingsIn(scope);
  const setting = settings.get('option dhcp.host-name');
  if (setting?.kind !== 'option') return flagOf(settings, 'use-host-decl-names') ? name : undefined;
  if ('data' in setting.value) return setting.value.data[0]?.[0]?.text;
  const { expression } = setting.value;
  return expression.kind === 'word' && expression.word === 'host-decl-name' ? name : constantOf(expression)?.text;
}
