/** What a service's log tells of why the node does not come into service: words and a hint for the operator. */
export type ServiceTrouble = {
  readonly what:
    | 'queue-password'
    | 'queue-rights'
    | 'queue-unreachable'
    | 'conductor'
    | 'keystone-password'
    | 'api-unreachable'
    | 'placement'
    | 'provider-name'
    | 'other-name'
    | 'identity-lost'
    | 'clock'
    | 'libvirt'
    | 'network-setup'
    | 'release';
  /** What the service does or does not, to follow its name: `cannot reach the message queue`. */
  readonly words: string;
  readonly hint: string;
  /** The line of the log that tells it. */
  readonly line: string;
};

type Telling = Omit<ServiceTrouble, 'line'>;
/** `tells` gives nothing where the line proves to be harmless. */
type Pattern = { readonly seen: RegExp; readonly tells: (groups: readonly string[]) => Telling | undefined };

/**
 * Looks through the end of a service's log for the newest line that explains it. What was said of the message queue before
 * the service had reached it is over. `undefined` where no line is known. Pure.
 */
export function serviceTrouble(log: string): ServiceTrouble | undefined {
  let over: readonly ServiceTrouble['what'][] = [];
  for (const line of log.split('\n').reverse()) {
    // A run that got so far: what went before is of the way there, or of an earlier run.
    if (REACHED_THE_QUEUE.test(line)) over = [...QUEUE, 'conductor'];
    else if (over.length === 0 && /\b(Rec|C)onnected to AMQP server\b/.test(line)) over = QUEUE;
    for (const { seen, tells } of PATTERNS) {
      const groups = seen.exec(line);
      if (!groups) continue;
      const told = tells(groups.map((group) => group ?? ''));
      if (told === undefined || over.includes(told.what)) break;
      return { ...told, line: line.trim() };
    }
  }
  return undefined;
}

/** The agent for Linux bridges says that it is initialized before it talks to the queue, that of Open vSwitch afterwards. */
const REACHED_THE_QUEUE =
  /Starting compute node|Agent RPC Daemon Started|ovs_neutron_agent .*Agent initialized successfully/;
const QUEUE = ['queue-password', 'queue-rights', 'queue-unreachable'] as const;

const fixed = (what: ServiceTrouble['what'], words: string, hint: string) => () => ({ what, words, hint });

/**
 * The more special first: of a line that several fit, the first counts. Texts are those of oslo.messaging and amqp, Nova,
 * Neutron and libvirt, from Zed on.
 */
const PATTERNS: readonly Pattern[] = [
  {
    // RabbitMQ's own words, by way of amqp.
    seen: /ACCESS_REFUSED - Login was refused|Check login credentials/,
    tells: fixed(
      'queue-password',
      'is refused by the message queue: a wrong user name or password',
      "compare user and password in transport_url with RabbitMQ's; on the controller: rabbitmqctl authenticate_user USER PASSWORD",
    ),
  },
  {
    seen: /NOT_ALLOWED - (vhost (\S+) not found|access to vhost '([^']*)' refused)|ACCESS_REFUSED - (access to .* refused.*)/,
    tells: ([, words = '', , , access]) => ({
      what: 'queue-rights',
      words: `may not use the message queue: ${access || words}`,
      hint: 'see the end of transport_url (the virtual host), and on the controller: rabbitmqctl list_user_permissions USER',
    }),
  },
  {
    seen: /certificate is not yet valid|certificate has expired|Token (is )?not yet valid/i,
    tells: fixed(
      'clock',
      'finds a certificate or token that is not valid at this time',
      'compare the clocks of node and controller: `date` on both, and see that both ask a time server',
    ),
  },
  {
    seen: /CERTIFICATE_VERIFY_FAILED|\[SSL: [A-Z_]+\]/,
    tells: fixed(
      'queue-unreachable',
      'cannot set up TLS with the message queue or an API',
      'see the ssl settings beside transport_url, and the certificate authority in its configuration',
    ),
  },
  {
    seen: /AMQP server on (\S+) is unreachable: (.*?)\.? Trying again in/,
    tells: ([, server = '', reason = '']) => unreachableQueue(` at ${server}`, reason),
  },
  {
    seen: /impl_rabbit .*Connection failed: (.*?) \(retrying in/,
    tells: ([, reason = '']) => unreachableQueue('', reason),
  },
  {
    seen: /Timed out waiting for nova-conductor|MessagingTimeout: Timed out waiting for a reply/,
    tells: fixed(
      'conductor',
      'reaches the message queue, where nobody answers',
      'is nova-conductor (or neutron-server) running on the controller, with the same virtual host in its transport_url?',
    ),
  },
  {
    // What ends nova-compute as it starts is its client of Placement: the first to log in.
    seen: /(CRITICAL|ERROR) nova (\[.*Unhandled error: )?keystoneauth1\.exceptions\.http\.Unauthorized|Placement service credentials do not work/,
    tells: fixed(
      'keystone-password',
      'is refused by Keystone (401): a wrong user name or password under [placement]',
      "compare username and password under [placement] in its nova.conf with Keystone's: openstack --os-username placement --os-project-name service token issue",
    ),
  },
  {
    seen: /\(HTTP 401\)|exceptions\.http\.Unauthorized/,
    tells: fixed(
      'keystone-password',
      'is refused by Keystone (401): a wrong user name or password',
      "compare user and password in its configuration on the node (a section each: [placement], [neutron], ...) with Keystone's: openstack --os-username USER token issue",
    ),
  },
  {
    seen: /keystoneauth1\.exceptions\.catalog\.EndpointNotFound: .*endpoint for (\S+) service(?: in (\S+) region)? not found/,
    tells: ([, service = '', region = '']) => ({
      what: 'placement',
      words: `finds no endpoint of ${service}${region === '' ? '' : ` in the region ${region}`}`,
      hint: `see region_name under [${service}] in its nova.conf, and openstack endpoint list --service ${service}`,
    }),
  },
  {
    seen: /keystoneauth1\.exceptions\.\S*Connect\w*: (?:Unable to establish connection to|Request to) (https?:\/\/[^/\s]+)(\S*) ?(.*)/,
    tells: ([, server = '', path = '', reason = '']) => unreachableApi(server, path, reason),
  },
  {
    seen: /Conflicting resource provider name: (\S+) already exists/,
    tells: ([, name = '']) => otherProvider(` (${name})`),
  },
  {
    seen: /Failed to create resource provider record in placement API .*Got 409/,
    tells: () => otherProvider(''),
  },
  {
    seen: /Placement API service is not responding|[Pp]lacement API endpoint was not found|Discovering suitable URL for placement API failed|No authentication information found for placement API/,
    tells: ([words = '']) => ({
      what: 'placement',
      words: `cannot talk to Placement: ${words}`,
      hint: 'see [placement] in nova.conf: auth_url and region_name; openstack catalog show placement',
    }),
  },
  {
    seen: /My compute node \S+ has hypervisor_hostname (\S+) but virt driver reports it should be (\S+?)\.? Possible rename/,
    tells: ([, was = '', is = '']) => otherName(`was known as ${was} and now calls itself ${is}`),
  },
  { seen: /Possible rename detected/, tells: () => otherName('has another name than before') },
  {
    seen: /No compute node record (?:found )?for (\S+?):(\S+?): /,
    tells: ([, host = '', machine = '']) =>
      host.split('.')[0] === machine.split('.')[0]
        ? undefined
        : {
            what: 'other-name',
            words: `registers as ${host}, on a machine that is called ${machine}`,
            hint: 'see host under [DEFAULT] in its nova.conf, and the host name on the node',
          },
  },
  {
    seen: /No local node identity found, but this is not our first startup/,
    tells: fixed(
      'identity-lost',
      'is known to Nova, and the node has no /var/lib/nova/compute_id',
      'the overlay nova-compute hands it out; where Nova has another: openstack hypervisor show -f value -c id NODE, kept in nodes/NODE/files/var/lib/nova/compute_id',
    ),
  },
  {
    seen: /Connection to libvirt failed: (.*)|libvirtError: (Failed to connect .*)/,
    tells: ([, said, other]) => ({
      what: 'libvirt',
      words: `cannot talk to libvirt: ${said || other}`,
      hint: 'name libvirtd before nova-compute under services:, and see `journalctl -u libvirtd` on the node',
    }),
  },
  {
    seen: /(?:Interface|Bridge) (\S+) for physical network (\S+) does not exist/,
    tells: ([, device = '', network = '']) => ({
      what: 'network-setup',
      words: `finds no interface ${device} for the physical network ${network}`,
      hint: 'see physical_interface_mappings or bridge_mappings, and the names of the cards: reveille node show NODE',
    }),
  },
  {
    seen: /Tunneling (cannot be enabled without the local_ip|can't be enabled with invalid local_ip)/,
    tells: fixed(
      'network-setup',
      'has a local_ip that no interface of the node has',
      'see local_ip under [vxlan] or [ovs]',
    ),
  },
  {
    seen: /OVS is down, not reporting state to server|ovs-vsctl: \S+: database connection failed/,
    tells: fixed(
      'network-setup',
      'does not reach Open vSwitch',
      'name openvswitch-switch before the agent under services:, and see `journalctl -u ovsdb-server -u ovs-vswitchd` on the node',
    ),
  },
  {
    seen: /Feature '(\S+)' is experimental and has to be explicitly enabled/,
    tells: ([, feature = '']) => ({
      what: 'network-setup',
      words: `does not start: ${feature} is an experimental feature of this release`,
      hint: `set ${feature} = true under [experimental] in neutron.conf, on the controller too`,
    }),
  },
  {
    seen: /This service is older \(v(\d+)\) than the minimum \(v(\d+)\)/,
    tells: ([, has = '', wants = '']) => ({
      what: 'release',
      words: `is too old for this cloud: version ${has}, and at least ${wants} is wanted`,
      hint: "build the image with the controller's release of Nova",
    }),
  },
];

function otherProvider(name: string): Telling {
  return {
    what: 'provider-name',
    words: `cannot make its resource provider: Placement has one of that name${name} with another identity`,
    hint: 'a machine whose compute_id was lost left it behind: openstack resource provider list, and delete it once it has no allocations',
  };
}

function otherName(words: string): Telling {
  return {
    what: 'other-name',
    words: `does not start, because it ${words}`,
    hint: 'a node keeps its name, or gets a new compute_id with a new one; see the host name on the node',
  };
}

function unreachableQueue(where: string, reason: string): Telling {
  const [, words, hint] = REASONS.find(([seen]) => seen.test(reason)) ?? [undefined, reason, WAY];
  return { what: 'queue-unreachable', words: `cannot reach the message queue${where}: ${words}`, hint };
}

function unreachableApi(server: string, path: string, reason: string): Telling {
  const [, words] = REASONS.find(([seen]) => seen.test(reason)) ?? [undefined, 'no answer'];
  const whom = path.includes('/auth/tokens') ? `Keystone at ${server}` : server;
  return {
    what: 'api-unreachable',
    words: `cannot reach ${whom}: ${words}`,
    hint: 'see auth_url in its configuration and the endpoints (openstack endpoint list), and the way there from the node',
  };
}

const WAY = 'see the address and port in transport_url, and the way there from the node';
const REASONS: readonly (readonly [RegExp, string, string])[] = [
  [
    /ECONNREFUSED|Connection refused/i,
    'nothing listens there',
    'is RabbitMQ running on the controller, on the address and port of transport_url, beyond 127.0.0.1?',
  ],
  [
    /Name or service not known|Temporary failure in name/,
    'its name is not known',
    "see the host in transport_url, and dns: of the network or the node's hosts",
  ],
  [/EHOSTUNREACH|No route/i, 'no machine answers at that address', WAY],
  [/ENETUNREACH|unreachable/i, 'there is no way there', `${WAY}: its gateway, its addresses`],
  [/ETIMEDOUT|timed out/i, 'no answer', `${WAY}: a firewall drops port 5672?`],
];
