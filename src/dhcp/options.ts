import { formatIpv4, type Ipv4, parseIpv4, parseSubnet, type Subnet } from '../net/ipv4.ts';

/** Option codes by their RFC 2132 (and later) names, as far as the server speaks of them. */
export const OPTION = {
  pad: 0,
  subnetMask: 1,
  router: 3,
  dnsServers: 6,
  hostname: 12,
  domainName: 15,
  interfaceMtu: 26,
  broadcastAddress: 28,
  ntpServers: 42,
  vendorSpecific: 43,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverIdentifier: 54,
  parameterRequestList: 55,
  message: 56,
  maxMessageSize: 57,
  renewalTime: 58,
  rebindingTime: 59,
  vendorClass: 60,
  clientIdentifier: 61,
  tftpServerName: 66,
  bootfileName: 67,
  userClass: 77,
  relayAgentInformation: 82,
  clientArchitecture: 93,
  clientNetworkInterface: 94,
  clientMachineIdentifier: 97,
  domainSearch: 119,
  classlessStaticRoutes: 121,
  tftpServerAddresses: 150,
  ipxeEncapsulated: 175,
  pxelinuxConfigFile: 209,
  pxelinuxPathPrefix: 210,
  end: 255,
} as const;

/** A destination and the router to it (RFC 3442). */
export type ClasslessRoute = { readonly to: Subnet; readonly via: Ipv4 };

/**
 * How one form of value is written and read. `decode` gives `undefined` for bytes that do not have the form: a bad
 * option must not cost the packet. `fromOperator` reads what stands in a site file, or says in words what it must be.
 */
type Form<T> = {
  readonly encode: (value: T) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => T | undefined;
  readonly fromOperator: (value: unknown) => { readonly value: T } | string;
};

function unsigned(bytes: 1 | 2 | 4): Form<number> {
  const most = 2 ** (8 * bytes) - 1;
  return {
    encode(value) {
      const out = Buffer.alloc(bytes);
      out.writeUIntBE(value, 0, bytes);
      return out;
    },
    decode: (data) => (data.length === bytes ? view(data).readUIntBE(0, bytes) : undefined),
    fromOperator: (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most
        ? { value }
        : `expected a whole number from 0 to ${most}`,
  };
}

export const u8 = unsigned(1);
export const u16 = unsigned(2);
export const u32 = unsigned(4);

/** A list of u16, such as option 93: an odd tail makes the whole list unreadable. */
export const u16List: Form<readonly number[]> = {
  encode(values) {
    const out = Buffer.alloc(values.length * 2);
    for (const [i, value] of values.entries()) out.writeUInt16BE(value, i * 2);
    return out;
  },
  decode(data) {
    if (data.length === 0 || data.length % 2 !== 0) return undefined;
    return Array.from({ length: data.length / 2 }, (_, i) => view(data).readUInt16BE(i * 2));
  },
  fromOperator: (value) => listFrom(value, u16, 'expected a list of numbers from 0 to 65535'),
};

export const address: Form<Ipv4> = {
  encode(ip) {
    const out = Buffer.alloc(4);
    out.writeUInt32BE(ip);
    return out;
  },
  decode: (data) => (data.length === 4 ? (view(data).readUInt32BE() as Ipv4) : undefined),
  fromOperator(value) {
    const ip = typeof value === 'string' ? parseIpv4(value) : undefined;
    return ip === undefined ? 'expected an IPv4 address, such as 10.0.0.1' : { value: ip };
  },
};

export const addresses: Form<readonly Ipv4[]> = {
  encode(ips) {
    const out = Buffer.alloc(ips.length * 4);
    for (const [i, ip] of ips.entries()) out.writeUInt32BE(ip, i * 4);
    return out;
  },
  decode(data) {
    if (data.length === 0 || data.length % 4 !== 0) return undefined;
    return Array.from({ length: data.length / 4 }, (_, i) => view(data).readUInt32BE(i * 4) as Ipv4);
  },
  fromOperator: (value) => listFrom(value, address, 'expected a list of IPv4 addresses, such as [10.0.0.1]'),
};

/** Text. What some firmware appends (NULs) is not part of it. */
export const text: Form<string> = {
  encode: (value) => Buffer.from(value, 'utf8'),
  decode: (data) => view(data).toString('utf8').replace(/\0+$/, ''),
  fromOperator: (value) =>
    typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= 1024
      ? { value }
      : typeof value === 'number'
        ? { value: String(value) }
        : 'expected text of 1 to 1024 bytes',
};

/** Bytes as they are; operators write them in hexadecimal. */
export const raw: Form<Uint8Array> = {
  encode: (value) => value,
  decode: (data) => data,
  fromOperator(value) {
    const hex = typeof value === 'string' ? value.replace(/[\s:]/g, '') : '';
    return hex !== '' && hex.length <= 2048 && /^([0-9a-fA-F]{2})+$/.test(hex)
      ? { value: Buffer.from(hex, 'hex') }
      : 'expected bytes in hexadecimal, in quotes, such as "0a:00:00:01"';
  },
};

/** Domain names (RFC 3397); read with compression pointers, written without. */
export const domainNames: Form<readonly string[]> = {
  encode: (names) => Buffer.concat(names.map(encodeName)),
  decode: decodeNames,
  fromOperator: (value) => listFrom(value, domainName, 'expected a list of domain names, such as [rack.example.org]'),
};

const NAME =
  /^(?=.{1,253}$)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?$/;

const domainName: Pick<Form<string>, 'fromOperator'> = {
  fromOperator: (value) => (typeof value === 'string' && NAME.test(value) ? { value } : 'expected a domain name'),
};

/** Classless static routes (RFC 3442): prefix length, the octets of the destination that count, the router. */
export const routes: Form<readonly ClasslessRoute[]> = {
  encode: (list) =>
    Buffer.concat(
      list.map(({ to, via }) =>
        Buffer.concat([
          Buffer.from([to.prefix]),
          address.encode(to.base).subarray(0, Math.ceil(to.prefix / 8)),
          address.encode(via),
        ]),
      ),
    ),
  decode: decodeRoutes,
  fromOperator: (value) =>
    listFrom(value, route, 'expected a list of routes, such as [{ to: 10.1.0.0/16, via: 10.0.0.254 }]'),
};

const route: Pick<Form<ClasslessRoute>, 'fromOperator'> = {
  fromOperator(value) {
    const { to, via } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
    const subnet = typeof to === 'string' ? parseSubnet(to) : undefined;
    const router = typeof via === 'string' ? parseIpv4(via) : undefined;
    return subnet && router !== undefined ? { value: { to: subnet, via: router } } : 'expected a route';
  },
};

function decodeRoutes(data: Uint8Array): readonly ClasslessRoute[] | undefined {
  const list: ClasslessRoute[] = [];
  for (let at = 0; at < data.length; ) {
    const prefix = data[at] ?? 0;
    const octets = Math.ceil(prefix / 8);
    if (prefix > 32 || at + 1 + octets + 4 > data.length) return undefined;
    const destination = Buffer.alloc(4);
    destination.set(data.subarray(at + 1, at + 1 + octets));
    const subnet = parseSubnet(`${formatIpv4(destination.readUInt32BE() as Ipv4)}/${prefix}`);
    if (!subnet) return undefined;
    list.push({ to: subnet, via: view(data).readUInt32BE(at + 1 + octets) as Ipv4 });
    at += 1 + octets + 4;
  }
  return list;
}

function encodeName(name: string): Uint8Array {
  const labels = name.split('.').filter((label) => label !== '');
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([Buffer.byteLength(label)]), Buffer.from(label)])),
    Buffer.from([0]),
  ]);
}

/** A pointer must lead backwards, so that no list of them can go round. */
function decodeNames(data: Uint8Array): readonly string[] | undefined {
  const names: string[] = [];
  for (let at = 0; at < data.length; ) {
    const labels: string[] = [];
    let next: number | undefined;
    let length = 0;
    for (let from = at; ; ) {
      const size = data[from];
      if (size === undefined) return undefined;
      if (size === 0) {
        next ??= from + 1;
        break;
      }
      if (size >= 0xc0) {
        const low = data[from + 1];
        const target = ((size & 0x3f) << 8) | (low ?? 0);
        if (low === undefined || target >= from) return undefined;
        next ??= from + 2;
        from = target;
        continue;
      }
      if (size > 63 || from + 1 + size > data.length) return undefined;
      length += size + 1;
      if (length > 255) return undefined;
      labels.push(view(data.subarray(from + 1, from + 1 + size)).toString('latin1'));
      from += 1 + size;
    }
    names.push(labels.join('.'));
    at = next;
  }
  return names;
}

/** What an operator may set by name: the names are those that dhcpd.conf made common. */
const NAMED: { readonly [name: string]: { readonly code: number; readonly form: Form<unknown> } } = {
  'subnet-mask': named(1, address),
  'time-offset': named(2, u32),
  routers: named(3, addresses),
  'time-servers': named(4, addresses),
  'domain-name-servers': named(6, addresses),
  'log-servers': named(7, addresses),
  'host-name': named(12, text),
  'domain-name': named(15, text),
  'root-path': named(17, text),
  'interface-mtu': named(26, u16),
  'broadcast-address': named(28, address),
  'nis-domain': named(40, text),
  'nis-servers': named(41, addresses),
  'ntp-servers': named(42, addresses),
  'vendor-encapsulated-options': named(43, raw),
  'netbios-name-servers': named(44, addresses),
  'netbios-node-type': named(46, u8),
  'dhcp-lease-time': named(51, u32),
  'dhcp-renewal-time': named(58, u32),
  'dhcp-rebinding-time': named(59, u32),
  'vendor-class-identifier': named(60, text),
  'tftp-server-name': named(66, text),
  'bootfile-name': named(67, text),
  'domain-search': named(119, domainNames),
  'classless-static-routes': named(121, routes),
  'tftp-server-address': named(150, addresses),
  'ipxe-encap-opts': named(175, raw),
  'pxelinux-configfile': named(209, text),
  'pxelinux-pathprefix': named(210, text),
  'wpad-url': named(252, text),
};

function named<T>(code: number, form: Form<T>): { readonly code: number; readonly form: Form<unknown> } {
  return { code, form: form as Form<unknown> };
}

/** The names that operators may use, for suggestions. */
export const OPTION_NAMES: readonly string[] = Object.keys(NAMED);

const FORM_BY_CODE = new Map(Object.values(NAMED).map(({ code, form }) => [code, form]));

/**
 * An option as an operator declares it, by name or number, in wire form; or what is wrong, in words. A number without a
 * name takes bytes in hexadecimal; one with a name takes that name's form, or bytes in hexadecimal.
 */
export function encodeNamedOption(
  key: string | number,
  value: unknown,
): { readonly code: number; readonly bytes: Uint8Array } | string {
  const code = typeof key === 'number' ? key : (NAMED[key]?.code ?? (/^[0-9]+$/.test(key) ? Number(key) : undefined));
  if (code === undefined) return `there is no option of the name ${key}; any option can be written by its number`;
  if (!Number.isInteger(code) || code < 0 || code > 255) return 'an option is numbered from 1 to 254';
  const form = FORM_BY_CODE.get(code);
  const read = (form ?? raw).fromOperator(value);
  if (typeof read === 'object') return { code, bytes: (form ?? (raw as Form<unknown>)).encode(read.value) };
  const asBytes = raw.fromOperator(value);
  if (form && form !== (text as unknown) && typeof asBytes === 'object') return { code, bytes: asBytes.value };
  return read;
}

function listFrom<T>(
  value: unknown,
  item: Pick<Form<T>, 'fromOperator'>,
  expected: string,
): { readonly value: readonly T[] } | string {
  const items = Array.isArray(value) ? value : [value];
  const out: T[] = [];
  for (const one of items) {
    const read = item.fromOperator(one);
    if (typeof read === 'string') return expected;
    out.push(read.value);
  }
  return out.length > 0 ? { value: out } : expected;
}

function view(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
