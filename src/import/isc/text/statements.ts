// What dhcpd.conf(5) lists, by keyword: the form of its value, and what becomes of it here. The parser takes the forms
// from these tables, and the report what it says; a keyword that is in none of them is no statement of dhcpd.conf.

import type { Weight } from '../../draft.ts';

/** What a parameter's value looks like. `any` is anything up to the semicolon. */
export type Form = 'number' | 'flag' | 'text' | 'address' | 'addresses' | 'any';

/**
 * `taken`: the reader of its scope has a place for it. `changed`: Reveille always does something of the kind, its own way.
 * `left`: it has no part in a site; the words say why, and what to do instead where something is to be done.
 */
export type Treatment =
  | 'taken'
  | ({ readonly weight?: Weight } & ({ readonly changed: string } | { readonly left: string }));

export type Parameter = { readonly form: Form; readonly treatment: Treatment };

const left = (why: string, weight?: Weight): Treatment => ({ left: why, ...(weight === undefined ? {} : { weight }) });
const changed = (why: string, weight?: Weight): Treatment => ({
  changed: why,
  ...(weight === undefined ? {} : { weight }),
});

const NO_DDNS = left(
  'Reveille does not update DNS: let the nodes register themselves, or feed the DNS server from the node list',
  'other',
);
const BOOTP = left('BOOTP is answered for nodes that have an address of their own, and for no other machine');
const NO_IPV6 = left('Reveille serves IPv4; keep the IPv6 part with its own server', 'other');
const NO_FAILOVER = left(
  'Reveille has no failover protocol: run one server, or two with pools that do not overlap',
  'server',
);
const NO_OMAPI = left('Reveille has no OMAPI: edit the site, it is followed without a restart', 'server');
const NO_KEYS = left('keys are for DNS updates and OMAPI, which Reveille has not', 'other');
const OWN_STATE = left('leases are kept in the state folder, each on disk before its ACK leaves', 'server');
const SERVICE_FILE = left('the service manager knows the process; no file is needed', 'server');
const NO_PING_TUNING = changed('one time for all: `dhcp.probeTime` of the site', 'server');
const MAC_ONLY = changed(
  'leases are kept by MAC address: one machine has one lease, whatever client identifier it sends',
);

const parameter = (form: Form, treatment: Treatment): Parameter => ({ form, treatment });

/** Statements of the form `keyword value;`. */
export const PARAMETERS: ReadonlyMap<string, Parameter> = new Map(
  Object.entries({
    'abandon-lease-time': parameter(
      'number',
      changed('an address that a client declined rests for a time of its own', 'server'),
    ),
    'adaptive-lease-time-threshold': parameter('number', left('the leases of a network all last the same')),
    'always-broadcast': parameter(
      'flag',
      changed("answers are broadcast where the client's broadcast flag asks for it"),
    ),
    'always-reply-rfc1048': parameter('flag', BOOTP),
    'bind-local-address6': parameter('flag', NO_IPV6),
    'boot-unknown-clients': parameter('flag', 'taken'),
    'check-secs-byte-order': parameter('flag', left('the seconds that clients tell have no part in answers', 'server')),
    'db-time-format': parameter('any', OWN_STATE),
    'ddns-domainname': parameter('any', NO_DDNS),
    'ddns-dual-stack-mixed-mode': parameter('flag', NO_DDNS),
    'ddns-guard-id-must-match': parameter('flag', NO_DDNS),
    'ddns-hostname': parameter('any', NO_DDNS),
    'ddns-local-address4': parameter('address', NO_DDNS),
    'ddns-local-address6': parameter('any', NO_DDNS),
    'ddns-other-guard-is-dynamic': parameter('flag', NO_DDNS),
    'ddns-rev-domainname': parameter('any', NO_DDNS),
    'ddns-ttl': parameter('number', NO_DDNS),
    'ddns-update-style': parameter('any', NO_DDNS),
    'ddns-updates': parameter('flag', NO_DDNS),
    'default-lease-time': parameter('number', 'taken'),
    'delayed-ack': parameter(
      'number',
      changed('ACKs leave in groups, each as soon as its leases are on disk', 'server'),
    ),
    'dhcp-cache-threshold': parameter(
      'number',
      changed('every renewal is written, many with one flush of the disk', 'server'),
    ),
    'dhcpv6-lease-file-name': parameter('any', NO_IPV6),
    'dhcpv6-pid-file-name': parameter('any', NO_IPV6),
    'dhcpv6-set-tee-times': parameter('flag', NO_IPV6),
    'do-forward-updates': parameter('flag', NO_DDNS),
    'do-reverse-updates': parameter('flag', NO_DDNS),
    'dont-use-fsync': parameter('flag', OWN_STATE),
    'dynamic-bootp-lease-cutoff': parameter('any', BOOTP),
    'dynamic-bootp-lease-length': parameter('number', BOOTP),
    deleted: parameter('any', NO_OMAPI),
    dynamic: parameter('any', NO_OMAPI),
    'echo-client-id': parameter('flag', changed('a client identifier is always sent back, as RFC 6842 asks')),
    filename: parameter('text', 'taken'),
    'fixed-address': parameter('addresses', 'taken'),
    'fixed-address6': parameter('any', NO_IPV6),
    'fixed-prefix6': parameter('any', NO_IPV6),
    'get-lease-hostnames': parameter(
      'flag',
      left('names come from the site: write a node for each machine that needs one'),
    ),
    'host-identifier': parameter('any', NO_IPV6),
    'ignore-client-uids': parameter('flag', MAC_ONLY),
    'infinite-is-reserved': parameter('flag', left('to keep an address for a machine, write it as a node with `ip:`')),
    interface: parameter('any', 'taken'),
    'lease-file-name': parameter('any', OWN_STATE),
    'lease-id-format': parameter('any', OWN_STATE),
    'limit-addrs-per-ia': parameter('number', NO_IPV6),
    'limit-prefs-per-ia': parameter('number', NO_IPV6),
    'limited-broadcast-address': parameter('address', left('broadcasts go to 255.255.255.255')),
    'local-address': parameter(
      'address',
      left('requests are taken on the interfaces that the networks name', 'server'),
    ),
    'local-address6': parameter('any', NO_IPV6),
    'local-port': parameter('number', left('DHCP is served on port 67')),
    'log-facility': parameter('any', 'taken'),
    'log-threshold-high': parameter('number', left('`reveille status` shows how full the pools are', 'server')),
    'log-threshold-low': parameter('number', left('`reveille status` shows how full the pools are', 'server')),
    'max-ack-delay': parameter(
      'number',
      changed('ACKs leave in groups, each as soon as its leases are on disk', 'server'),
    ),
    'max-lease-time': parameter('number', 'taken'),
    'min-lease-time': parameter('number', 'taken'),
    'min-secs': parameter('number', left('every request is answered at once')),
    'next-server': parameter('address', 'taken'),
    'omapi-key': parameter('any', NO_OMAPI),
    'omapi-port': parameter('number', NO_OMAPI),
    'one-lease-per-client': parameter('flag', MAC_ONLY),
    'persist-eui-64-leases': parameter('flag', NO_IPV6),
    'pid-file-name': parameter('any', SERVICE_FILE),
    'ping-check': parameter('flag', 'taken'),
    'ping-cltt-secs': parameter('number', NO_PING_TUNING),
    'ping-timeout': parameter('number', 'taken'),
    'ping-timeout-ms': parameter('number', 'taken'),
    'preferred-lifetime': parameter('number', NO_IPV6),
    'prefix-length-mode': parameter('any', NO_IPV6),
    prefix6: parameter('any', NO_IPV6),
    range6: parameter('any', NO_IPV6),
    'release-on-roam': parameter('flag', NO_IPV6),
    'remote-port': parameter('number', left('answers go to port 68')),
    'server-duid': parameter('any', NO_IPV6),
    'server-id-check': parameter('flag', changed('a REQUEST that names another server is never answered', 'server')),
    'server-identifier': parameter('address', 'taken'),
    'server-name': parameter('text', left('answers carry no server name; name the boot server by `nextServer:`')),
    'site-option-space': parameter('any', 'taken'),
    'stash-agent-options': parameter(
      'flag',
      left("renewals that bypass the relay are matched by the client's address", 'server'),
    ),
    uid: parameter('any', MAC_ONLY),
    'update-conflict-detection': parameter('flag', NO_DDNS),
    'update-optimization': parameter('flag', NO_DDNS),
    'update-static-leases': parameter('flag', NO_DDNS),
    'use-eui-64': parameter('flag', NO_IPV6),
    'use-host-decl-names': parameter('flag', 'taken'),
    'use-lease-addr-for-default-route': parameter(
      'flag',
      left('write the gateway; proxy ARP by the own address is not offered'),
    ),
    'vendor-option-space': parameter('any', 'taken'),
  } satisfies { readonly [keyword: string]: Parameter }),
);

/** What `allow bootp` says, which is so by default. */
export const BOOTP_ALLOWED = changed(
  'BOOTP is answered for nodes that have an address of their own, as dhcpd does for hosts',
  'server',
);

/** What `allow`, `deny` and `ignore` switch outside pools. */
export const FLAGS: ReadonlyMap<string, Treatment> = new Map<string, Treatment>([
  ['unknown-clients', 'taken'],
  ['bootp', BOOTP],
  ['dynamic-bootp', BOOTP],
  ['booting', 'taken'],
  ['duplicates', MAC_ONLY],
  ['declines', changed('an address that a client declines is always set aside for a while', 'server')],
  ['client-updates', NO_DDNS],
  ['leasequery', left('lease queries are not answered: see `reveille status --json`', 'server')],
]);

/** Blocks of which only the name is looked at, and the statements that may stand in them; `undefined`: any. */
export const FOREIGN: ReadonlyMap<string, { readonly treatment: Treatment; readonly statements?: readonly string[] }> =
  new Map([
    ['subnet6', { treatment: NO_IPV6 }],
    ['pool6', { treatment: NO_IPV6 }],
    [
      'failover peer',
      {
        treatment: NO_FAILOVER,
        statements: [
          ...['primary', 'secondary', 'address', 'peer address', 'port', 'peer port', 'max-response-delay'],
          ...['max-unacked-updates', 'mclt', 'split', 'hba', 'load balance max seconds', 'auto-partner-down'],
          ...['max-lease-misbalance', 'max-lease-ownership', 'min-balance', 'max-balance'],
        ],
      },
    ],
    ['key', { treatment: NO_KEYS, statements: ['algorithm', 'secret'] }],
    ['zone', { treatment: NO_DDNS, statements: ['primary', 'secondary', 'primary6', 'secondary6', 'key'] }],
  ]);

/** Statements that run for each client: there is nothing in a site that runs. */
export const ACTIONS: ReadonlyMap<string, Treatment> = new Map<string, Treatment>([
  ...['set', 'unset', 'let', 'define', 'eval', 'return', 'break'].map(
    (keyword) => [keyword, left('a site has no variables and runs no statements for each client', 'server')] as const,
  ),
  ['log', left('every exchange is logged: see `reveille watch` and `reveille why`', 'server')],
  ['execute', left('no program is run for a lease: follow `reveille watch --json` for that', 'server')],
  ['add', left('write the members of a class under `classes:`')],
]);

/** Statements that the parser knows by their own form, and what becomes of them. */
export const FORMS: ReadonlyMap<string, Treatment> = new Map<string, Treatment>([
  ...['include', 'shared-network', 'subnet', 'pool', 'group', 'host', 'class', 'subclass', 'range', 'hardware'].map(
    (keyword) => [keyword, 'taken'] as const,
  ),
  ...['option', 'match', 'if', 'switch', 'allow', 'deny', 'ignore', 'authoritative', 'not'].map(
    (keyword) => [keyword, 'taken'] as const,
  ),
  ['vendor-class', 'taken'],
  ['user-class', 'taken'],
  ['append', changed('the value replaces others; it is not added to them')],
  ['prepend', changed('the value replaces others; it is not added to them')],
  ['supersede', 'taken'],
  ['default', changed('the value replaces others')],
  ['failover', NO_FAILOVER],
  ['lease', left('the number of leases of a class is not limited: give it a pool of its own size')],
  ['spawn', left('subclasses are not made on the fly: a class is all clients that match it')],
  ['on', left('nothing runs when a lease changes: follow `reveille watch --json` for that', 'server')],
]);

/** What becomes of a keyword's statements; `undefined` if dhcpd.conf has no such statement. */
export function treatmentOf(keyword: string): Treatment | undefined {
  return (
    FORMS.get(keyword) ??
    PARAMETERS.get(keyword)?.treatment ??
    ACTIONS.get(keyword) ??
    FOREIGN.get(keyword)?.treatment ??
    FLAGS.get(keyword)
  );
}

/** All keywords that a statement can begin with, for suggestions. */
export const KEYWORDS: readonly string[] = [
  ...FORMS.keys(),
  ...PARAMETERS.keys(),
  ...ACTIONS.keys(),
  ...[...FOREIGN.keys()].filter((keyword) => !keyword.includes(' ')),
];
