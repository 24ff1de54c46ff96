import { PARAMETERS } from './statements.ts';
import type { OptionName, OptionType, StatementOf } from './tree.ts';

type Definition = StatementOf<'option-definition' | 'option-space'>;

/** An option as dhcpd knows it: its number and how its payload is made up. */
export type KnownOption = { readonly code: number; readonly type: OptionType };

const IP: OptionType = { kind: 'ip' };
const IP6: OptionType = { kind: 'ip6' };
const TEXT: OptionType = { kind: 'text' };
const STRING: OptionType = { kind: 'string' };
const FLAG: OptionType = { kind: 'flag' };
const DOMAIN: OptionType = { kind: 'domain' };
const DOMAINS: OptionType = { kind: 'domains' };
const U8: OptionType = { kind: 'integer', bits: 8, signed: false };
const U16: OptionType = { kind: 'integer', bits: 16, signed: false };
const U32: OptionType = { kind: 'integer', bits: 32, signed: false };
const I32: OptionType = { kind: 'integer', bits: 32, signed: true };

const arrayOf = (of: OptionType): OptionType => ({ kind: 'array', of });
const record = (...parts: OptionType[]): OptionType => ({ kind: 'record', parts });

/** The options of dhcp-options(5) and of dhcpd's own tables, by the form of their payload. */
const DHCP: readonly (readonly [OptionType, string])[] = [
  [
    IP,
    `1 subnet-mask, 16 swap-server, 28 broadcast-address, 32 router-solicitation-address, 50 dhcp-requested-address,
     54 dhcp-server-identifier, 118 subnet-selection`,
  ],
  [
    arrayOf(IP),
    `3 routers, 4 time-servers, 5 ien116-name-servers, 6 domain-name-servers, 7 log-servers, 8 cookie-servers,
     9 lpr-servers, 10 impress-servers, 11 resource-location-servers, 41 nis-servers, 42 ntp-servers,
     44 netbios-name-servers, 45 netbios-dd-server, 48 font-servers, 49 x-display-manager, 65 nisplus-servers,
     68 mobile-ip-home-agent, 69 smtp-server, 70 pop-server, 71 nntp-server, 72 www-server, 73 finger-server,
     74 irc-server, 75 streettalk-server, 76 streettalk-directory-assistance-server, 85 nds-servers,
     89 bcms-controller-address, 92 associated-ip, 112 netinfo-server-address, 136 pana-agent, 138 capwap-ac-v4,
     142 ipv4-address-andsf, 150 tftp-server-address`,
  ],
  [arrayOf(record(IP, IP)), '21 policy-filter, 33 static-routes'],
  [
    TEXT,
    `12 host-name, 14 merit-dump, 15 domain-name, 17 root-path, 18 extensions-path, 40 nis-domain, 47 netbios-scope,
     56 dhcp-message, 62 nwip-domain, 64 nisplus-domain, 66 tftp-server-name, 67 bootfile-name, 77 user-class,
     86 nds-tree-name, 87 nds-context, 98 uap-servers, 100 pcode, 101 tcode, 113 netinfo-server-tag, 114 default-url,
     160 v4-captive-portal, 209 loader-configfile, 210 loader-pathprefix`,
  ],
  [
    FLAG,
    `19 ip-forwarding, 20 non-local-source-routing, 27 all-subnets-local, 29 perform-mask-discovery, 30 mask-supplier,
     31 router-discovery, 34 trailer-encapsulation, 36 ieee802-3-encapsulation, 39 tcp-keepalive-garbage`,
  ],
  [I32, '2 time-offset'],
  [
    U32,
    `24 path-mtu-aging-timeout, 35 arp-cache-timeout, 38 tcp-keepalive-interval, 51 dhcp-lease-time,
     58 dhcp-renewal-time, 59 dhcp-rebinding-time, 91 client-last-transaction-time, 108 v6-only-preferred,
     211 loader-reboottime`,
  ],
  [U16, '13 boot-size, 22 max-dgram-reassembly, 26 interface-mtu, 57 dhcp-max-message-size, 93 pxe-system-type'],
  [arrayOf(U16), '25 path-mtu-plateau-table, 117 name-service-search'],
  [
    U8,
    `23 default-ip-ttl, 37 default-tcp-ttl, 46 netbios-node-type, 52 dhcp-option-overload, 53 dhcp-message-type,
     116 auto-config`,
  ],
  [arrayOf(U8), '55 dhcp-parameter-request-list'],
  [record(U8, U8, U8), '94 pxe-interface-id'],
  [record(U8, STRING), '97 pxe-client-id'],
  [record(FLAG, arrayOf(IP)), '78 slp-directory-agent'],
  [record(FLAG, TEXT), '79 slp-service-scope'],
  [record(U8, IP, IP, DOMAINS), '146 rdnss-selection'],
  [record(U8, U8, U16), '159 v4-portparams'],
  [record(U8, U8, IP6, arrayOf(IP)), '212 option-6rd'],
  [DOMAIN, '137 v4-lost, 213 v4-access-domain'],
  [DOMAINS, '88 bcms-controller-names, 119 domain-search, 141 sip-ua-cs-domains'],
  [
    STRING,
    `43 vendor-encapsulated-options, 60 vendor-class-identifier, 61 dhcp-client-identifier, 99 geoconf-civic,
     63 nwip-suboptions, 81 fqdn, 82 relay-agent-information, 124 vivco, 125 vivso`,
  ],
];

/** Option spaces that dhcpd comes with, besides its own. */
const SPACES: { readonly [space: string]: readonly (readonly [OptionType, string])[] } = {
  dhcp: DHCP,
  agent: [
    [STRING, '1 circuit-id, 2 remote-id'],
    [IP, '3 agent-id, 5 link-selection'],
    [U32, '4 DOCSIS-device-class'],
    [{ kind: 'nothing' }, '19 relay-port'],
  ],
  fqdn: [
    [FLAG, '1 no-client-update, 2 server-update, 3 encoded'],
    [U8, '4 rcode1, 5 rcode2'],
    [TEXT, '6 hostname, 7 domainname, 8 fqdn'],
  ],
  nwip: [
    [FLAG, '5 nsq-broadcast, 10 nwip-1-1'],
    [arrayOf(IP), '6 preferred-dss, 7 nearest-nwip-server'],
    [U8, '8 autoretries, 9 autoretry-secs'],
    [IP, '11 primary-dss'],
  ],
};

/** Spaces that dhcpd comes with and that are not for clients of ours: their options are not looked up. */
const FOREIGN_SPACES = new Set(['dhcp6', 'isc', 'isc6', 'vsio', 'vendor', 'vendor-class']);
/** The space of dhcpd's own parameters: `config-option server.filename`. */
const PARAMETER_SPACE = 'server';

/** The options that a configuration can name: dhcpd's own, and those that it defines. */
export class OptionTable {
  readonly #options = new Map<string, KnownOption>();
  readonly #widths = new Map<string, { readonly code: number; readonly length: number }>();

  /** What defines an option or a space, by its key. */
  readonly #definitions = new Map<string, Definition>();

  constructor(definitions: readonly Definition[] = []) {
    for (const [space, rows] of Object.entries(SPACES)) {
      for (const [type, list] of rows) {
        for (const [code, name] of list.split(',').map((entry) => entry.trim().split(' '))) {
          this.#options.set(keyOf({ space, name: name ?? '' }), { code: Number(code), type });
        }
      }
    }
    for (const statement of definitions) this.define(statement);
  }

  define(statement: Definition): void {
    if (statement.kind === 'option-space') {
      this.#widths.set(statement.space.toLowerCase(), { code: statement.codeWidth, length: statement.lengthWidth });
      this.#definitions.set(statement.space.toLowerCase(), statement);
    } else {
      this.#options.set(keyOf(statement.option), { code: statement.code, type: statement.type });
      this.#definitions.set(keyOf(statement.option), statement);
    }
  }

  /** What the configuration defines for an option: itself, its space, and what carries that. */
  definitionsOf(name: OptionName): readonly Definition[] {
    const carrier = name.space === 'dhcp' ? undefined : this.#carrier(name.space)?.[0];
    const keys = [keyOf(name), name.space.toLowerCase(), carrier ?? ''];
    return keys.flatMap((key) => this.#definitions.get(key) ?? []);
  }

  hasSpace(space: string): boolean {
    const name = space.toLowerCase();
    const isOwn = Object.hasOwn(SPACES, name) || FOREIGN_SPACES.has(name) || name === PARAMETER_SPACE;
    return isOwn || this.#definitions.has(name);
  }

  /** Whether dhcpd knows an option of this name. Of spaces that are not for our clients all are taken as known. */
  isKnown(name: OptionName): boolean {
    const space = name.space.toLowerCase();
    if (space === PARAMETER_SPACE) return PARAMETERS.has(name.name.toLowerCase());
    return FOREIGN_SPACES.has(space) || this.find(name) !== undefined;
  }

  /**
   * The least number from which options come from `space`, where `site-option-space` names it: that of its first option beyond 127,
   * 224 at most.
   */
  leastOfSite(space: string): number {
    const prefix = `${space.toLowerCase()}.`;
    const codes = [...this.#options].flatMap(([key, { code }]) => (key.startsWith(prefix) && code > 127 ? [code] : []));
    return Math.min(224, ...codes);
  }

  /** The option of this name; `unknown-144` stands for a number. */
  find(name: OptionName): KnownOption | undefined {
    const number = /^unknown-(\d{1,3})$/i.exec(name.name)?.[1];
    return (
      this.#options.get(keyOf(name)) ?? (number === undefined ? undefined : { code: Number(number), type: STRING })
    );
  }

  /** Bytes of code and length before each option of a space. */
  widths(space: string): { readonly code: number; readonly length: number } {
    return this.#widths.get(space.toLowerCase()) ?? { code: 1, length: 1 };
  }

  /** The option of dhcpd's own space that carries those of `space`. */
  carrier(space: string): KnownOption | undefined {
    return this.#carrier(space)?.[1];
  }

  #carrier(space: string): readonly [string, KnownOption] | undefined {
    const wanted = space.toLowerCase();
    return [...this.#options].find(
      ([key, { type }]) => key.startsWith('dhcp.') && type.kind === 'space' && type.space.toLowerCase() === wanted,
    );
  }

  get names(): readonly string[] {
    return [...this.#options.keys()].map((key) => key.replace(/^dhcp\./, ''));
  }
}

function keyOf({ space, name }: OptionName): string {
  return `${space}.${name}`.toLowerCase();
}
