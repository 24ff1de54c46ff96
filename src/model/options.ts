import { closest } from 'fastest-levenshtein';
import {
  bytes,
  encode,
  flag,
  i32,
  ip,
  ips,
  type Kind,
  names,
  routes,
  searchList,
  text,
  u8,
  u16,
  u16s,
  u32,
} from './optionKinds.ts';

/** An option that has a name: its code, its kind of payload, and what operators may call it. */
export type Option<T = unknown> = { readonly code: number; readonly kind: Kind<T>; readonly names: readonly string[] };

function option<T>(code: number, kind: Kind<T>, ...called: string[]): Option<T> {
  return { code, kind, names: called };
}

/** The options that the server itself reads and writes (RFC 2132 unless said otherwise). */
export const OPTION = {
  subnetMask: option(1, ip, 'subnet-mask'),
  routers: option(3, ips, 'routers', 'router'),
  dns: option(6, ips, 'domain-name-servers', 'dns-servers', 'dns-server'),
  hostname: option(12, text, 'host-name', 'hostname'),
  domain: option(15, text, 'domain-name'),
  mtu: option(26, u16, 'interface-mtu', 'mtu'),
  broadcast: option(28, ip, 'broadcast-address'),
  ntp: option(42, ips, 'ntp-servers', 'ntp-server'),
  vendor: option(43, bytes, 'vendor-encapsulated-options'),
  requestedAddress: option(50, ip, 'requested-address'),
  leaseTime: option(51, u32, 'lease-time', 'dhcp-lease-time'),
  overload: option(52, u8, 'option-overload'),
  messageType: option(53, u8, 'message-type'),
  serverId: option(54, ip, 'server-identifier', 'dhcp-server-identifier'),
  parameterList: option(55, bytes, 'parameter-request-list'),
  message: option(56, text, 'message'),
  maxMessageSize: option(57, u16, 'max-message-size'),
  renewalTime: option(58, u32, 'renewal-time', 'dhcp-renewal-time'),
  rebindingTime: option(59, u32, 'rebinding-time', 'dhcp-rebinding-time'),
  vendorClass: option(60, text, 'vendor-class-identifier', 'vendor-class'),
  clientId: option(61, bytes, 'client-identifier', 'dhcp-client-identifier'),
  tftpServer: option(66, text, 'tftp-server-name', 'tftp-server'),
  bootFile: option(67, text, 'bootfile-name', 'boot-file'),
  userClass: option(77, bytes, 'user-class'),
  /** RFC 3046. */
  relayAgent: option(82, bytes, 'relay-agent-information'),
  /** RFC 4578: the firmware's kinds, its network interface's revision, the machine's UUID behind a zero byte. */
  clientArch: option(93, u16s, 'client-architecture'),
  clientInterface: option(94, bytes, 'client-network-interface'),
  clientUuid: option(97, bytes, 'client-uuid'),
  /** RFC 3397. */
  search: option(119, searchList, 'domain-search'),
  /** RFC 3442. */
  routes: option(121, routes, 'classless-static-routes', 'rfc3442-classless-static-routes'),
  /** RFC 5859. */
  tftpServers: option(150, ips, 'tftp-server-address', 'tftp-servers'),
  ipxe: option(175, bytes, 'ipxe'),
  /** RFC 5071. */
  configFile: option(209, text, 'pxelinux-config-file'),
  pathPrefix: option(210, text, 'pxelinux-path-prefix'),
} as const;

/** Every option that operators can write by name in a site's `options:`. All others go by number. */
export const OPTIONS: readonly Option[] = [
  ...Object.values(OPTION),
  option(2, i32, 'time-offset'),
  option(4, ips, 'time-servers'),
  option(7, ips, 'log-servers'),
  option(9, ips, 'lpr-servers'),
  option(13, u16, 'boot-size'),
  option(16, ip, 'swap-server'),
  option(17, text, 'root-path'),
  option(18, text, 'extensions-path'),
  option(19, flag, 'ip-forwarding'),
  option(23, u8, 'default-ip-ttl'),
  option(40, text, 'nis-domain'),
  option(41, ips, 'nis-servers'),
  option(44, ips, 'netbios-name-servers'),
  option(45, ips, 'netbios-dd-server'),
  option(46, u8, 'netbios-node-type'),
  option(47, text, 'netbios-scope'),
  option(48, ips, 'font-servers'),
  option(49, ips, 'x-display-manager'),
  option(69, ips, 'smtp-server'),
  option(100, text, 'pcode', 'posix-timezone'),
  option(101, text, 'tcode', 'tzdb-timezone'),
  option(114, text, 'captive-portal', 'default-url'),
  option(116, flag, 'auto-config'),
  option(125, bytes, 'vivso'),
  option(138, ips, 'capwap-ac-v4'),
  option(208, bytes, 'pxelinux-magic'),
  option(211, u32, 'pxelinux-reboot-time'),
  option(249, routes, 'ms-classless-static-routes'),
  option(252, text, 'wpad', 'web-proxy-auto-discovery'),
];

/** Kinds by the names that `{ hex: ... }` and its like use, for options that the tables do not know. */
const KINDS: { readonly [name: string]: Kind<unknown> } = {
  hex: bytes,
  text,
  ip,
  ips,
  u8,
  u16,
  u32,
  i32,
  flag,
  names,
  routes,
};

/** What only the protocol itself may say, and where an operator's wish belongs instead. */
const REFUSED: ReadonlyMap<number, string> = new Map([
  [0, 'is padding'],
  [1, "comes from the network's `subnet`"],
  [50, 'is for clients to send'],
  [51, "comes from the network's `lease`"],
  [52, 'says how a packet is laid out'],
  [53, "is the message's own type"],
  [54, "comes from the network's `server`"],
  [55, 'is for clients to send'],
  [57, 'is for clients to send'],
  [61, 'is for clients to send'],
  [82, 'is for relays to send'],
  [90, 'is for authentication, which is not offered'],
  [255, 'marks the end'],
]);

const LONGEST_PAYLOAD = 1024;

const BY_CODE = new Map(OPTIONS.map((known) => [known.code, known]));
const BY_NAME = new Map(OPTIONS.flatMap((known) => known.names.map((name) => [name, known] as const)));

/** What operators call an option, if it has a name. */
export function nameOfOption(code: number): string | undefined {
  return BY_CODE.get(code)?.names[0];
}

/** The names that operators can write, for suggestions. */
export const OPTION_NAMES: readonly string[] = [...BY_NAME.keys()];

/**
 * Turns one entry of an operator's `options:` into its code and payload. `key` is a name of `OPTIONS` or a number from 1
 * to 254; `value` is of the option's own kind, or `{ hex: 06:01:08 }` (also `text`, `ip`, `ips`, `u8`, `u16`, `u32`, `i32`, `flag`,
 * `names`, `routes`) for any option. An unknown number takes hex or a list of bytes. The answer is a sentence if it cannot be done.
 */
export function encodeNamedOption(
  key: string | number,
  value: unknown,
): { readonly code: number; readonly bytes: Uint8Array } | string {
  const code = codeOf(key);
  if (typeof code === 'string') return code;
  const refused = REFUSED.get(code);
  if (refused !== undefined) return `option ${key} cannot be set: it ${refused}`;

  const [kind, written] = forcedKind(value) ?? [BY_CODE.get(code)?.kind ?? bytes, value];
  const read = kind.read(written);
  if (read === undefined) return `option ${key} must be ${kind.words}`;
  const payload = encode(kind, read);
  if (payload.length > LONGEST_PAYLOAD) return `option ${key} is longer than ${LONGEST_PAYLOAD} bytes`;
  return { code, bytes: payload };
}

function codeOf(key: string | number): number | string {
  if (typeof key === 'number' || /^[0-9]+$/.test(key)) {
    const code = Number(key);
    return Number.isInteger(code) && code >= 0 && code <= 255 ? code : `option ${key}: numbers run from 1 to 254`;
  }
  const known = BY_NAME.get(key);
  return known ? known.code : `there is no option named ${key}: did you mean ${closest(key, [...BY_NAME.keys()])}?`;
}

function forcedKind(value: unknown): [Kind<unknown>, unknown] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const [entry, ...rest] = Object.entries(value);
  const kind = entry && Object.hasOwn(KINDS, entry[0]) ? KINDS[entry[0]] : undefined;
  return entry && kind && rest.length === 0 ? [kind, entry[1]] : undefined;
}
