import { z } from 'zod';
import { servedChoices } from '../boot/methods.ts';
import { FACILITIES } from '../log/facility.ts';
import { hexPattern, textPattern } from '../model/bytePattern.ts';
import { FIRMWARES } from '../model/firmware.ts';
import { parseIpv4 } from '../model/ipv4.ts';
import { parseMacPrefix } from '../model/macPrefix.ts';
import { LOADER_CHOICES } from '../model/node.ts';
import {
  address,
  addresses,
  choice,
  domainName,
  duration,
  each,
  filePath,
  keyed,
  lease,
  line,
  listOf,
  macs,
  matching,
  NAME_PATTERN,
  NODE_KEY_PATTERN,
  named,
  nameSuchAs,
  notOneOf,
  oneOrMore,
  options,
  range,
  refresh,
  SECRET_NAME_PATTERN,
  settingsLimit,
  spelled,
  subnet,
  vars,
  whole,
  yesOrNo,
} from './forms.ts';
import { mistyped } from './shape.ts';

/** Limits of the lease time that a client may ask for, beside `lease`: on networks, pools and classes. */
const leaseLimits = {
  minLease: lease.describe('Shortest lease that a client may ask for. Default: one minute.').exactOptional(),
  maxLease: lease.describe('Longest lease that a client may ask for. Default: `lease`.').exactOptional(),
};

/** The boot file that a machine gets, if the operator names it: on networks, classes, profiles and nodes. */
const bootFrom = {
  nextServer: address
    .describe(
      'Boot server to name instead of this server, with `bootFile` or where nothing of this server boots (siaddr).',
    )
    .exactOptional(),
  bootFile: matching('a boot file', 'pxelinux.0', /^[^\p{Cc}]{1,255}$/u)
    .describe('Boot file to name, whatever the firmware, instead of the one that the image and the loader ask for.')
    .exactOptional(),
};

const poolMembers = oneOrMore(
  matching('known, unknown, any or the name of a class', 'known', NAME_PATTERN),
  'known, unknown, any or the name of a class',
  'them',
);

const pool = keyed(
  {
    range: oneOrMore(range, 'a range of addresses', 'ranges').describe('First and last address, or one address.'),
    allow: poolMembers
      .prefault('known')
      .describe(
        'Machines that may get an address from it: nodes of this site (known), machines that the site does not list (unknown), any, or members of a class.',
      ),
    deny: poolMembers
      .prefault([])
      .describe('Machines that may not get an address from it, even if `allow` admits them.'),
    lease: lease.describe('How long an address of this pool is lent, instead of as the network says.').exactOptional(),
    ...leaseLimits,
    ...bootFrom,
    options: options.prefault({}),
  },
  'a pool',
);

const macPrefix = spelled({
  what: 'a MAC address or the beginning of one',
  example: '52:54:00:00:00:51, 52:54:00:* or 00:1a:4b:00:00:00/24',
  parse: parseMacPrefix,
});

/** Text with `*` and `?`, or bytes in hex. */
function pattern(what: string, example: string) {
  const written = spelled({ what, example, parse: textPattern });
  const hex = spelled({ what: 'bytes in hex', example: '00:04:00:01 or 00:04:*', parse: hexPattern });
  const bytes = keyed({ hex: hex.describe('Bytes in hex; * stands for any, ?? for one.') }, what).transform(
    (value) => value.hex,
  );
  return oneOrMore(z.union([written, bytes], { error: ({ input }) => mistyped(what, input) }), what, 'them');
}

const architecture = z.union([choice(...FIRMWARES), whole('an architecture', 0, 65535)], {
  error: ({ input }) => notOneOf([...FIRMWARES, 'a number of option 93'], input),
});

const machineClass = keyed(
  {
    macs: oneOrMore(macPrefix, 'a MAC address', 'MAC addresses')
      .describe('MAC addresses, or beginnings of them: 52:54:00:*, 00:1a:4b:00:00:00/24.')
      .exactOptional(),
    vendorClass: pattern('a vendor class', 'PXEClient*')
      .describe('Vendor class (option 60), with * and ?.')
      .exactOptional(),
    userClass: pattern('a user class', 'iPXE').describe('User class (option 77), with * and ?.').exactOptional(),
    arch: oneOrMore(architecture, 'a kind of firmware', 'them')
      .describe('Firmware: bios, efi-x64 and so on, or numbers of option 93.')
      .exactOptional(),
    circuitId: pattern('a circuit id', 'eth0/1/*')
      .describe('Port at which a relay or switch reports the machine (option 82, sub-option 1).')
      .exactOptional(),
    remoteId: pattern('a remote id', 'switch7*')
      .describe('Relay or switch that reports it (option 82, sub-option 2).')
      .exactOptional(),
    lease: lease.describe('How long members are lent their addresses.').exactOptional(),
    ...leaseLimits,
    ...bootFrom,
    options: options.prefault({}),
  },
  'the settings of a class',
);

const route = keyed(
  {
    to: subnet.describe('Destination; 0.0.0.0/0 is the default route.'),
    via: address.describe('Router in this subnet, or 0.0.0.0 for a destination on the same wire.'),
  },
  'a route',
);

const network = keyed(
  {
    interface: matching('the name of a network interface', 'br0', /^[^\s/:\p{Cc}]{1,15}$/u)
      .describe('Interface on which requests arrive. Absent for a network that only relays reach.')
      .exactOptional(),
    subnet: subnet.describe('Address and prefix length of the subnet.'),
    server: address
      .describe(
        "This server's address in the subnet. Default: the one that the interface has there; behind relays, the one on the first wire.",
      )
      .exactOptional(),
    gateway: address.describe('Default router (option 3).').exactOptional(),
    broadcast: address.describe("Broadcast address (option 28). Default: the subnet's last address.").exactOptional(),
    dns: listOf(address, 'addresses').prefault([]).describe('Name servers (option 6).'),
    ntp: listOf(address, 'addresses').prefault([]).describe('Time servers (option 42).'),
    domain: domainName.describe('Domain name (option 15).').exactOptional(),
    search: listOf(domainName, 'domain names').prefault([]).describe('Domains to search for names (option 119).'),
    mtu: whole('an MTU', 68, 65535).describe('MTU of the interface (option 26).').exactOptional(),
    routes: listOf(route, 'routes')
      .prefault([])
      .describe('Static routes (option 121). Clients that take them ignore `gateway`: add 0.0.0.0/0 here too.'),
    relays: oneOrMore(range, 'an address or a range', 'them')
      .prefault([])
      .describe(
        'Addresses of the relays of this network (giaddr) that lie in no subnet of the site. Other relays are not answered.',
      ),
    lease: lease.prefault('1h').describe('How long an address is lent: 2h, 30m, a number of seconds, or infinite.'),
    ...leaseLimits,
    pools: listOf(pool, 'pools')
      .prefault([])
      .describe('Ranges from which clients without an address of their own get one.'),
    ...bootFrom,
    options: options.prefault({}),
  },
  'the settings of a network',
);

const BMC_HOST = /^(?=[^-])(?:[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45})$/;
/** How a machine's BMC (its service processor) is reached. Which keys a kind needs is checked when nodes resolve. */
const bmc = keyed(
  {
    address: each(
      {
        what: "a BMC's address or host name",
        example: '10.1.0.51',
        parse: (text) => (BMC_HOST.test(text) ? text : undefined),
      },
      '10.1.0.[51-114]',
      10,
    )
      .describe('Address or host name of the BMC; of a range of nodes, 10.1.0.[51-114].')
      .exactOptional(),
    kind: choice('ipmi', 'redfish').describe('Which protocol it speaks. Default: ipmi.').exactOptional(),
    port: whole('a port', 1, 65535).describe('Default: 623 (UDP) for ipmi, 443 for redfish.').exactOptional(),
    user: matching('a user name', 'admin', /^[^\p{Cc}:]{1,64}$/u)
      .describe('User of the BMC who may switch the machine.')
      .exactOptional(),
    // The value in place of a secret may be a password: the message does not repeat it.
    password: z
      .string({ error: "expected the name of a secret\nsuch as '{{ secrets.bmc }}'" })
      .regex(/^\{\{\s*secrets\.[A-Za-z_][A-Za-z0-9_]*\s*\}\}$/, {
        error: "a password is not written here\nname the secret that holds it: '{{ secrets.NAME }}'",
      })
      .describe("The user's password, always a secret: '{{ secrets.NAME }}'.")
      .exactOptional(),
    bootMode: choice('bios', 'uefi')
      .describe('Boot mode of the firmware for a boot from the network. Default: the BMC decides.')
      .exactOptional(),
    interface: choice('lanplus', 'lan').describe('ipmi: lanplus is IPMI 2.0 (default), lan is 1.5.').exactOptional(),
    privilege: choice('operator', 'administrator')
      .describe('ipmi: the privilege to ask for. Default: operator, which may switch machines.')
      .exactOptional(),
    cipher: whole('a cipher suite', 0, 17)
      .describe('ipmi: cipher suite, usually 17 or 3. Default: ipmitool asks the BMC for its best.')
      .exactOptional(),
    system: matching('the id of a system', '1', /^[^\p{Cc}\s]{1,255}$/u)
      .describe('redfish: which system of the service it is, by its id. Default: the only one.')
      .exactOptional(),
    verify: yesOrNo.describe('redfish: whether its certificate is checked. Default: true.').exactOptional(),
    ca: filePath.describe('redfish: certificates (PEM) to check it by; relative to the site folder.').exactOptional(),
  },
  'how a BMC is reached',
);

const bootEntry = nameSuchAs('nova').describe(
  'Menu entry that the machine boots instead of an image: its kernel and initrd, its words as written; kernelArgs are not added. `local`: the next boot device.',
);
const imageName = nameSuchAs('bookworm-nova').describe('Image that the machine runs: a recipe images/NAME.yaml.');
const replaced = z
  .union([matching('one line of text', '{{ node.ip }}', /^[^\p{Cc}]*$/u), z.number(), z.boolean()], {
    error: ({ input }) => mistyped('text that takes the place of a token', input),
  })
  .transform(String);
/** The settings of a profile, and of a node as well. */
/** Values of `loader:` that suit no firmware. */
const UNSERVED = LOADER_CHOICES.filter((choice) => !servedChoices().has(choice));

const settings = {
  network: nameSuchAs('rack')
    .describe(
      'Network that the machine belongs to: a machine with its MAC address in another network is not this one. Default: the one that `ip` lies in.',
    )
    .exactOptional(),
  image: imageName.exactOptional(),
  boot: bootEntry.exactOptional(),
  loader: choice(...LOADER_CHOICES)
    .describe(
      `What the firmware fetches first. auto (default): picked by firmware; pxelinux is for BIOS; ${UNSERVED.join(' and ')} are not served yet.`,
    )
    .exactOptional(),
  kernelArgs: listOf(line, 'kernel arguments')
    .prefault([])
    .describe('Words added to the kernel command line, after those of earlier profiles, each once.'),
  overlays: listOf(nameSuchAs('nova-compute'), 'overlay names')
    .prefault([])
    .describe(
      'Folders below overlays/ whose files and templates are written over the image, after those of earlier profiles, each once.',
    ),
  replace: named(
    named(replaced, 'tokens and what takes their place', /^[^\p{Cc}]{1,255}$/u),
    'paths on the node',
    /^\//,
  )
    .prefault({})
    .describe(
      'Tokens such as XXX in files of the image (or of overlays), and their replacements: by path on the node, then by token. Values are templates.',
    ),
  services: listOf(
    matching('the name of a systemd unit', 'nova-compute', /^[A-Za-z0-9:_.\\@-]{1,255}$/),
    'systemd units',
  )
    .prefault([])
    .describe('Units that wait at boot and start once the node has its name and files; joined like kernelArgs.'),
  settingsLimit: settingsLimit
    .describe(
      'How long the settings.sh of a node may run; after that it is killed with every process that it started, and the node counts as failed. Default: 1h; off: for ever.',
    )
    .exactOptional(),
  vars: vars.prefault({}),
  bmc: bmc
    .describe('How the machine is switched on and off; merged key by key. A machine without bmc.address has none.')
    .exactOptional(),
  ...bootFrom,
  options: options.prefault({}),
};

export const profileSchema = keyed(settings, 'the settings of a profile').describe(
  'Settings that many nodes share: an entry of `profiles`, or a file profiles/NAME.yaml.',
);

// Every node needs `mac`. That is checked when nodes resolve: a range that names the node may give it.
export const nodeSchema = keyed(
  {
    mac: oneOrMore(macs, 'a MAC address', 'MAC addresses')
      .describe('MAC address of the network card, or a list of them; of a range, 52:54:00:00:00:[51-90] (hexadecimal).')
      .exactOptional(),
    ip: addresses
      .describe('Address of this machine alone; of a range, 10.0.0.[51-114]. Absent: it gets one from a pool.')
      .exactOptional(),
    profiles: listOf(nameSuchAs('compute'), 'profile names')
      .prefault([])
      .describe('Profiles that the node has. They merge in this order, its own settings last.'),
    ...settings,
  },
  'the settings of a node',
);

const entry = keyed(
  {
    title: line.describe('What the menu shows. Default: the name.').exactOptional(),
    kernel: filePath.describe('Kernel, a path below tftp.root.'),
    initrd: oneOrMore(filePath, 'a file name', 'file names')
      .default([])
      .describe('Initrd, or a list of them, below tftp.root.'),
    args: listOf(line, 'kernel arguments')
      .prefault([])
      .describe('Words of the kernel command line, in this order. TFTP=<server> is added last unless they have it.'),
    ipappend: whole('a sum of pxelinux ipappend bits', 1, 0x3ffff)
      .describe(
        'Words added last, as pxelinux adds them: 1 ip=, 2 BOOTIF=, 4 SYSUUID=, or a sum. iPXE supports these three, and writes the UUID in its usual form.',
      )
      .exactOptional(),
  },
  'a menu entry',
);

const menu = keyed(
  {
    timeout: duration('3s', 0, 3_600_000)
      .prefault('3s')
      .describe('How long the menu waits before it takes the default.'),
    default: nameSuchAs('node')
      .prefault('node')
      .describe(
        'The entry that boots when no choice is made, on a machine without `boot:` of its own: `node` (its image), `local` (the next boot device) or an entry.',
      ),
    entries: named(entry, 'menu entries', NAME_PATTERN).prefault({}).describe('Other systems that can be chosen.'),
  },
  'the settings of the menu',
);

const tftp = keyed(
  {
    root: filePath.describe("Folder with the operator's own files; relative to the site folder.").exactOptional(),
    singlePort: yesOrNo.prefault(false).describe('Answer from port 69 alone, for clients behind NAT. Slower.'),
    maxTransfers: whole('a number of transfers', 1, 100_000).prefault(1024).describe('Transfers at once, in all.'),
    maxTransfersPerClient: whole('a number of transfers', 1, 100_000)
      .prefault(16)
      .describe('Transfers at once for one client.'),
  },
  'the settings of TFTP',
);

const http = keyed(
  { port: whole('a port', 1, 65535).prefault(8080).describe('TCP port of boot files and of the nodes.') },
  'the settings of HTTP',
);

const apiTls = z.union(
  [
    choice('auto', 'off'),
    keyed(
      {
        certificate: filePath.describe(
          'Its certificate and those that lead to its authority (PEM); relative to the site folder.',
        ),
        key: filePath.describe('Its private key (PEM); relative to the site folder.'),
      },
      'the files of a certificate',
    ),
  ],
  {
    error: ({ input }) =>
      typeof input === 'string'
        ? notOneOf(['auto', 'off', '{ certificate, key }'], input)
        : mistyped('auto, off or { certificate, key }', input),
  },
);

const apiMetrics = z.union(
  [
    choice('token', 'open').transform((access) => ({ open: access === 'open', nodes: false })),
    keyed(
      {
        open: yesOrNo.prefault(false).describe('Whether /metrics is served without a token.'),
        nodes: yesOrNo.prefault(false).describe('Whether there are metrics for each node, labelled with its name.'),
      },
      'the settings of the metrics',
    ),
  ],
  {
    error: ({ input }) =>
      typeof input === 'string'
        ? notOneOf(['token', 'open'], input)
        : mistyped('token, open or { open, nodes }', input),
  },
);

const api = keyed(
  {
    port: whole('a port', 1, 65535).prefault(8443).describe('TCP port of the API.'),
    address: address.describe('Address of this machine on which it is served. Default: all.').exactOptional(),
    tls: apiTls
      .prefault('auto')
      .describe(
        'auto: with a certificate that the server makes for itself; off: without TLS, for a proxy in front; or the files of a certificate.',
      ),
    metrics: apiMetrics
      .prefault('token')
      .describe('Who may read /metrics. token: who has a token of the API; open: everyone.'),
  },
  'the settings of the API',
);

const secret = keyed(
  {
    file: filePath.describe('File that holds it; relative to the site folder.').exactOptional(),
    env: matching('the name of an environment variable', 'RABBIT_PASSWORD', /^[A-Za-z_][A-Za-z0-9_]*$/)
      .describe("Variable of the server's environment.")
      .exactOptional(),
    command: line
      .describe('Shell line that prints it, run in the site folder as the server. Its first line counts.')
      .exactOptional(),
    multiline: yesOrNo
      .describe('Whether it is a text of several lines. Keys in PEM form do not need this.')
      .exactOptional(),
  },
  'where a secret is kept',
).meta({ minProperties: 1, maxProperties: 2, examples: [{ file: 'secrets/rabbit' }] });

const cloud = keyed(
  {
    name: nameSuchAs('rack').describe('Entry of clouds.yaml. Default: $OS_CLOUD.').exactOptional(),
    file: filePath
      .describe('The clouds.yaml; relative to the site folder. Default: the usual places of OpenStack clients.')
      .exactOptional(),
  },
  'the settings of the cloud',
);

const dhcp = keyed(
  {
    probe: choice('arp', 'icmp', 'off')
      .prefault('arp')
      .describe('Probe of an address before it is newly offered from a pool.'),
    probeTime: duration('500ms', 10, 10_000)
      .prefault('500ms')
      .describe('How long the server waits for an answer to the probe.'),
    strangersPerPort: whole('a number of addresses', 1, 100_000)
      .prefault(64)
      .describe(
        'Addresses that machines that the site does not list may have at one switch port (circuit id and remote id of option 82).',
      ),
    strangersPerRelay: whole('a number of addresses', 1, 1_000_000)
      .describe('The same for all machines behind a relay that names no ports. Default: what the pools hold.')
      .exactOptional(),
    strangersPerSecond: whole('a number of machines', 1, 1_000_000)
      .describe(
        "Machines that the site does not list that may be new in a second on one wire, five seconds' worth at once. Default: 200, or an eighth of the addresses of its pools.",
      )
      .exactOptional(),
  },
  'the settings of DHCP',
);

const facility = choice(...FACILITIES).describe('Facility of syslog, such as local7 or daemon.');

const syslogServer = spelled({
  what: 'an address, or an address and a port',
  example: '10.0.0.9:514',
  parse: (text) => {
    const [, address = '', port = '514'] = /^([0-9.]+)(?::([0-9]{1,5}))?$/.exec(text) ?? [];
    const ip = parseIpv4(address);
    return ip === undefined || Number(port) < 1 || Number(port) > 65535 ? undefined : { ip, port: Number(port) };
  },
});

const log = keyed(
  {
    syslog: z
      .union(
        [
          facility.transform((name) => ({ facility: name })),
          keyed(
            {
              facility: facility.prefault('daemon'),
              to: syslogServer
                .describe('Syslog server (UDP, RFC 5424). Absent: the daemon of this machine, through /dev/log.')
                .exactOptional(),
            },
            'the settings of syslog',
          ),
        ],
        {
          error: ({ input }) =>
            typeof input === 'string' ? notOneOf(FACILITIES, input) : mistyped('a facility', input),
        },
      )
      .describe(
        'Log each exchange to syslog, as dhcpd and tftpd do: a facility, or { facility: local7, to: 10.0.0.9:514 }.',
      )
      .exactOptional(),
    journald: yesOrNo.prefault(false).describe('Log to journald, with fields such as REVEILLE_NODE.'),
    format: choice('text', 'json')
      .prefault('text')
      .describe('Format of the lines of standard output and syslog. json: an object for each event.'),
  },
  'the settings of the log',
);

export const siteSchema = keyed(
  {
    site: nameSuchAs('g-rack').describe('Name of the site.').exactOptional(),
    networks: named(network, 'networks', NAME_PATTERN)
      .prefault({})
      .describe('Subnets by name. Several on one interface are a shared network.'),
    classes: named(machineClass, 'classes', NAME_PATTERN)
      .prefault({})
      .describe(
        'Groups of machines by what their requests contain. Every condition must match; any one of its values suffices.',
      ),
    profiles: named(profileSchema, 'profiles', NAME_PATTERN)
      .prefault({})
      .describe('Settings that many nodes share, by name.'),
    nodes: named(nodeSchema, 'nodes', NODE_KEY_PATTERN)
      .prefault({})
      .describe('Machines by host name; node[01-64] is a range; the entry of a single node overrides it.'),
    vars: vars.prefault({}),
    secrets: named(secret, 'secrets', SECRET_NAME_PATTERN)
      .prefault({})
      .describe(
        'Passwords by name. Variables refer to them as {{ secrets.NAME }}; only nodes with such a variable get the value.',
      ),
    menu: menu.prefault({}).describe('The boot menu.'),
    tftp: tftp.prefault({}).describe('The TFTP server.'),
    http: http.prefault({}).describe('The HTTP server.'),
    api: api.describe('The API of operators on a TCP port. Absent: on the Unix socket only.').exactOptional(),
    dhcp: dhcp.prefault({}).describe('The DHCP server.'),
    log: log.prefault({}).describe('Where events are logged besides the state.'),
    cloud: cloud
      .describe('The OpenStack cloud that the nodes serve: their boots end when they are in service there.')
      .exactOptional(),
    refresh: refresh
      .prefault('10m')
      .describe('How often a running node asks whether its files changed, plus or minus a tenth; or off.'),
  },
  'the settings of a site, such as "networks:"',
);

export type SiteDeclaration = z.output<typeof siteSchema>;
export type ProfileDeclaration = z.output<typeof profileSchema>;
export type NodeDeclaration = z.output<typeof nodeSchema>;
export type NetworkDeclaration = z.output<typeof network>;
export type PoolDeclaration = z.output<typeof pool>;
export type BmcDeclaration = z.output<typeof bmc>;
export type ClassDeclaration = z.output<typeof machineClass>;
