import { parseIpv4 } from '../../model/ipv4.ts';
import type { Device, Layer, YamlMap } from './layers.ts';

export type Devices = { readonly [name: string]: Device };

/** Device by device and key by key, the later layers having their way. */
export function mergedDevices(layers: readonly Layer[]): Devices {
  const merged: { [name: string]: Device } = {};
  for (const { devices } of layers) {
    for (const [name, { fields, tags }] of Object.entries(devices)) {
      const before = merged[name];
      merged[name] = { fields: { ...before?.fields, ...fields }, tags: { ...before?.tags, ...tags } };
    }
  }
  return merged;
}

/**
 * The device that a node boots from: named so, marked so (before 4.5), called `default`, or the first with a MAC address in the
 * order of their names.
 */
export function primaryOf(layers: readonly Layer[], devices: Devices): string {
  const said = layers.findLast(({ primary }) => primary !== undefined)?.primary;
  const entries = Object.entries(devices).toSorted(([one], [other]) => (one < other ? -1 : 1));
  const marked = entries.find(([, { fields }]) => /^(true|yes|y|1|t)$/i.test(fields.primary ?? fields.default ?? ''));
  if (said !== undefined && devices[said] !== undefined) return said;
  if (marked !== undefined) return marked[0];
  if (devices.default !== undefined) return 'default';
  return (entries.find(([, { fields }]) => fields.hwaddr !== undefined) ?? entries[0])?.[0] ?? '';
}

/** What a network gives its machines, as a device says it. */
export type NetworkWords = {
  readonly gateway?: string;
  readonly dns?: readonly string[];
  readonly search?: readonly string[];
  readonly mtu?: number;
};

/** What of a device is given by DHCP: its router, name servers (`DNS1`), domains to search (`DNSSEARCH`) and MTU. */
export function networkWords({ fields, tags }: Device): NetworkWords {
  const { gateway, mtu } = fields;
  const dns = Object.entries(tags).flatMap(([name, value]) => (isNameServer(name, value) ? [value] : []));
  const search = (tags.DNSSEARCH ?? '').split(/[ ;,]+/).filter((name) => name !== '');
  return {
    ...(gateway === undefined || parseIpv4(gateway) === undefined ? {} : { gateway }),
    ...(dns.length === 0 ? {} : { dns }),
    ...(search.length === 0 ? {} : { search }),
    ...(mtu === undefined || !isMtu(mtu) ? {} : { mtu: Number(mtu) }),
  };
}

/**
 * What of a device has no place but in variables, for templates. `isBooted`: its addresses stand with the node, and the rest
 * of what DHCP gives with the network. Nothing if nothing is left.
 */
export function deviceVars({ fields, tags }: Device, isBooted: boolean): YamlMap | undefined {
  const kept = Object.entries(fields).filter(([key, value]) => !isBooted || !isWritten(key, value));
  const keptTags = Object.entries(tags).filter(
    ([name, value]) => !isBooted || !(name === 'DNSSEARCH' || isNameServer(name, value)),
  );
  const vars = {
    ...Object.fromEntries(kept),
    ...(keptTags.length === 0 ? {} : { tags: Object.fromEntries(keptTags) }),
  };
  return Object.keys(vars).length === 0 ? undefined : vars;
}

function isWritten(key: string, value: string): boolean {
  if (key === 'gateway') return parseIpv4(value) !== undefined;
  if (key === 'mtu') return isMtu(value);
  return ['hwaddr', 'ipaddr', 'ipcidr', 'netmask', 'primary', 'default'].includes(key);
}

function isNameServer(name: string, value: string): boolean {
  return /^DNS\d*$/.test(name) && parseIpv4(value) !== undefined;
}

function isMtu(text: string): boolean {
  return /^\d{2,5}$/.test(text) && Number(text) >= 68 && Number(text) <= 65_535;
}
