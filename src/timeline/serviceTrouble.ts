/** Why a connection fails; `logged`: the log's text of a cause that is not known. */
export type NoConnection =
  | { readonly cause: 'refused' | 'name-unknown' | 'no-machine' | 'no-route' | 'timeout' }
  | { readonly cause: 'other'; readonly logged: string };

/** What keeps a service from coming into service, with the values that its log names. */
export type Trouble =
  | { readonly what: PlainTrouble }
  | { readonly what: 'queue-rights'; readonly logged: string }
  | ({ readonly what: 'queue-unreachable'; readonly server?: string } & NoConnection)
  | ({ readonly what: 'api-unreachable'; readonly server: string; readonly isKeystone: boolean } & NoConnection)
  /** The catalogue has no endpoint of a service of the cloud. */
  | { readonly what: 'endpoint-missing'; readonly service: string; readonly region?: string }
  | { readonly what: 'placement'; readonly logged: string }
  /** Placement has a resource provider of that name with another identity. */
  | { readonly what: 'provider-name'; readonly name?: string }
  /** The machine has another name than the record of it. */
  | { readonly what: 'renamed'; readonly names?: { readonly was: string; readonly is: string } }
  /** The service registers under another name than its machine has. */
  | { readonly what: 'other-name'; readonly host: string; readonly machine: string }
  | { readonly what: 'libvirt'; readonly logged: string }
  | { readonly what: 'interface-missing'; readonly device: string; readonly network: string }
  | { readonly what: 'experimental'; readonly feature: string }
  /** The service is too old for the cloud, by Nova's own versions. */
  | { readonly what: 'release'; readonly has: string; readonly least: string };

/** Troubles without values. `placement-password`: the one under [placement]. */
type PlainTrouble =
  | 'queue-password'
  | 'queue-tls'
  | 'conductor'
  | 'keystone-password'
  | 'placement-password'
  | 'identity-lost'
  | 'clock'
  | 'local-ip'
  | 'openvswitch';

/** A trouble, and the line of the log that shows it. */
export type ServiceTrouble = Trouble & { readonly line: string };

/** `reads` gives nothing where the line proves to be harmless. */
type Pattern = { readonly seen: RegExp; readonly reads: (groups: readonly string[]) => Trouble | undefined };

/**
 * Searches the end of a service's log for the newest line that explains its trouble. Lines about the message queue from before
 * the service reached it no longer count. `undefined` where no line is known. Pure.
 */
export function serviceTrouble(log: string): ServiceTrouble | undefined {
  let over: readonly ServiceTrouble['what'][] = [];
  for (const line of log.split('\n').reverse()) {
    // A run that reached the queue: lines before this are about the connection, or of an earlier run.
    if (REACHED_THE_QUEUE.test(line)) over = [...QUEUE, 'conductor'];
    else if (over.length === 0 && /\b(Rec|C)onnected to AMQP server\b/.test(line)) over = QUEUE;
    for (const { seen, reads } of PATTERNS) {
      const groups = seen.exec(line);
      if (!groups) continue;
      const trouble = reads(groups.map((group) => group ?? ''));
      if (trouble === undefined || over.includes(trouble.what)) break;
      return { ...trouble, line: line.trim() };
    }
  }
  return undefined;
}

/** The agent for Linux bridges logs that it is initialized before it connects to the queue, that of Open vSwitch afterwards. */
const REACHED_THE_QUEUE =
  /Starting compute node|Agent RPC Daemon Started|ovs_neutron_agent .*Agent initialized successfully/;
const QUEUE = ['queue-password', 'queue-rights', 'queue-unreachable', 'queue-tls'] as const;

const fixed = (what: PlainTrouble) => () => ({ what });

/**
 * The more specific first: of several that match a line, the first counts. Texts are those of oslo.messaging and amqp, Nova,
 * Neutron and libvirt, from Zed on.
 */
const PATTERNS: readonly Pattern[] = [
  // RabbitMQ's own text, by way of amqp.
  { seen: /ACCESS_REFUSED - Login was refused|Check login credentials/, reads: fixed('queue-password') },
  {
    seen: /NOT_ALLOWED - (vhost (\S+) not found|access to vhost '([^']*)' refused)|ACCESS_REFUSED - (access to .* refused.*)/,
    reads: ([, vhost = '', , , access]) => ({ what: 'queue-rights', logged: access || vhost }),
  },
  {
    seen: /certificate is not yet valid|certificate has expired|Token (is )?not yet valid/i,
    reads: fixed('clock'),
  },
  { seen: /CERTIFICATE_VERIFY_FAILED|\[SSL: [A-Z_]+\]/, reads: fixed('queue-tls') },
  {
    seen: /AMQP server on (\S+) is unreachable: (.*?)\.? Trying again in/,
    reads: ([, server = '', logged = '']) => ({ what: 'queue-unreachable', server, ...causeOf(logged) }),
  },
  {
    seen: /impl_rabbit .*Connection failed: (.*?) \(retrying in/,
    reads: ([, logged = '']) => ({ what: 'queue-unreachable', ...causeOf(logged) }),
  },
  {
    seen: /Timed out waiting for nova-conductor|MessagingTimeout: Timed out waiting for a reply/,
    reads: fixed('conductor'),
  },
  {
    // What ends nova-compute as it starts is its client of Placement: the first to log in.
    seen: /(CRITICAL|ERROR) nova (\[.*Unhandled error: )?keystoneauth1\.exceptions\.http\.Unauthorized|Placement service credentials do not work/,
    reads: fixed('placement-password'),
  },
  { seen: /\(HTTP 401\)|exceptions\.http\.Unauthorized/, reads: fixed('keystone-password') },
  {
    seen: /keystoneauth1\.exceptions\.catalog\.EndpointNotFound: .*endpoint for (\S+) service(?: in (\S+) region)? not found/,
    reads: ([, service = '', region = '']) => ({
      what: 'endpoint-missing',
      service,
      ...(region === '' ? {} : { region }),
    }),
  },
  {
    seen: /keystoneauth1\.exceptions\.\S*Connect\w*: (?:Unable to establish connection to|Request to) (https?:\/\/[^/\s]+)(\S*) ?(.*)/,
    reads: ([, server = '', path = '', logged = '']) => ({
      what: 'api-unreachable',
      server,
      isKeystone: path.includes('/auth/tokens'),
      ...causeOf(logged),
    }),
  },
  {
    seen: /Conflicting resource provider name: (\S+) already exists/,
    reads: ([, name = '']) => ({ what: 'provider-name', name }),
  },
  {
    seen: /Failed to create resource provider record in placement API .*Got 409/,
    reads: () => ({ what: 'provider-name' }),
  },
  {
    seen: /Placement API service is not responding|[Pp]lacement API endpoint was not found|Discovering suitable URL for placement API failed|No authentication information found for placement API/,
    reads: ([logged = '']) => ({ what: 'placement', logged }),
  },
  {
    seen: /My compute node \S+ has hypervisor_hostname (\S+) but virt driver reports it should be (\S+?)\.? Possible rename/,
    reads: ([, was = '', is = '']) => ({ what: 'renamed', names: { was, is } }),
  },
  { seen: /Possible rename detected/, reads: () => ({ what: 'renamed' }) },
  {
    seen: /No compute node record (?:found )?for (\S+?):(\S+?): /,
    reads: ([, host = '', machine = '']) =>
      host.split('.')[0] === machine.split('.')[0] ? undefined : { what: 'other-name', host, machine },
  },
  {
    seen: /No local node identity found, but this is not our first startup/,
    reads: fixed('identity-lost'),
  },
  {
    seen: /Connection to libvirt failed: (.*)|libvirtError: (Failed to connect .*)/,
    reads: ([, logged = '', other = '']) => ({ what: 'libvirt', logged: logged || other }),
  },
  {
    seen: /(?:Interface|Bridge) (\S+) for physical network (\S+) does not exist/,
    reads: ([, device = '', network = '']) => ({ what: 'interface-missing', device, network }),
  },
  {
    seen: /Tunneling (cannot be enabled without the local_ip|can't be enabled with invalid local_ip)/,
    reads: fixed('local-ip'),
  },
  {
    seen: /OVS is down, not reporting state to server|ovs-vsctl: \S+: database connection failed/,
    reads: fixed('openvswitch'),
  },
  {
    seen: /Feature '(\S+)' is experimental and has to be explicitly enabled/,
    reads: ([, feature = '']) => ({ what: 'experimental', feature }),
  },
  {
    seen: /This service is older \(v(\d+)\) than the minimum \(v(\d+)\)/,
    reads: ([, has = '', least = '']) => ({ what: 'release', has, least }),
  },
];

function causeOf(logged: string): NoConnection {
  const known = CAUSES.find(([seen]) => seen.test(logged));
  return known ? { cause: known[1] } : { cause: 'other', logged };
}

const CAUSES: readonly (readonly [RegExp, Exclude<NoConnection['cause'], 'other'>])[] = [
  [/ECONNREFUSED|Connection refused/i, 'refused'],
  [/Name or service not known|Temporary failure in name/, 'name-unknown'],
  [/EHOSTUNREACH|No route/i, 'no-machine'],
  [/ENETUNREACH|unreachable/i, 'no-route'],
  [/ETIMEDOUT|timed out/i, 'timeout'],
];
