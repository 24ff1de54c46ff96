/** An IPv4 address as an unsigned 32-bit number, most significant octet first. */
export type Ipv4 = number & { readonly __brand: 'Ipv4' };

/** A range of addresses, both ends included. */
export type Ipv4Range = { readonly first: Ipv4; readonly last: Ipv4 };

/** A subnet: its network address (host bits zero) and prefix length 0 to 32. */
export type Subnet = { readonly base: Ipv4; readonly prefix: number };

export const UNSPECIFIED = 0 as Ipv4;
export const LIMITED_BROADCAST = 0xffffffff as Ipv4;

/** Reads dotted decimal, four octets without leading zeros; `undefined` if it is anything else. */
export function parseIpv4(text: string): Ipv4 | undefined {
  const octets = text.split('.');
  if (octets.length !== 4) return undefined;
  let value = 0;
  for (const octet of octets) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(octet)) return undefined;
    const n = Number(octet);
    if (n > 255) return undefined;
    value = value * 256 + n;
  }
  return value as Ipv4;
}

/** Dotted decimal. */
export function formatIpv4(ip: Ipv4): string {
  return `${ip >>> 24}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}`;
}

/** `10-0-0-51`: how per-node folders spell an address. */
export function dashedIpv4(ip: Ipv4): string {
  return formatIpv4(ip).replaceAll('.', '-');
}

/** `0A000033`: how pxelinux and GRUB spell an address in file names. */
export function hexIpv4(ip: Ipv4): string {
  return ip.toString(16).toUpperCase().padStart(8, '0');
}

/** Reads `10.0.0.0/24`; `undefined` if malformed or if host bits are set. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address, length, ...rest] = text.split('/');
  if (address === undefined || length === undefined || rest.length > 0 || !/^[0-9]{1,2}$/.test(length))
    return undefined;
  const base = parseIpv4(address);
  const prefix = Number(length);
  if (base === undefined || prefix > 32 || (base & netmaskOf(prefix)) >>> 0 !== base) return undefined;
  return { base, prefix };
}

/** `10.0.0.0/24`. */
export function formatSubnet(subnet: Subnet): string {
  return `${formatIpv4(subnet.base)}/${subnet.prefix}`;
}

/** The netmask of a prefix length 0 to 32. */
export function netmaskOf(prefix: number): Ipv4 {
  return (prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0) as Ipv4;
}

/** Whether `ip` lies in `subnet`, its network and broadcast addresses included. */
export function inSubnet(subnet: Subnet, ip: Ipv4): boolean {
  return (ip & netmaskOf(subnet.prefix)) >>> 0 === subnet.base;
}

/** The subnet's directed broadcast address. */
export function broadcastOf(subnet: Subnet): Ipv4 {
  return ((subnet.base | ~netmaskOf(subnet.prefix)) >>> 0) as Ipv4;
}

/** Reads `10.0.0.200-10.0.0.220` or one address; `undefined` if malformed or if it runs backwards. */
export function parseRange(text: string): Ipv4Range | undefined {
  const [from, to, ...rest] = text.split('-').map((part) => parseIpv4(part.trim()));
  if (from === undefined || rest.length > 0) return undefined;
  if (!text.includes('-')) return { first: from, last: from };
  return to === undefined || to < from ? undefined : { first: from, last: to };
}

/** Whether `ip` lies in `range`. */
export function inRange(range: Ipv4Range, ip: Ipv4): boolean {
  return ip >= range.first && ip <= range.last;
}
