/** Numbers of a service by name: how many of something there are now, or were since it started. */
export type Gauges = Readonly<Record<string, number>>;

/** `gauge`: how many there are now. `counter`: how many there were since the start; a service that starts anew begins at 0. */
export type Measure = { readonly kind: 'gauge' | 'counter'; readonly meaning: string };

const now = (meaning: string): Measure => ({ kind: 'gauge', meaning });
const since = (meaning: string): Measure => ({ kind: 'counter', meaning });

/** What every service and part has. */
export const COMMON_MEASURES = {
  faults: since('exceptions that no code expected'),
  restarts: since('times that the service was started anew'),
  droppedEvents: since('events of its thread that were dropped because too many were on their way'),
} as const satisfies Readonly<Record<string, Measure>>;

/** What the services and parts of the server count, by their names. */
export const MEASURES = {
  site: {
    networks: now('networks of the site that is in force'),
    nodes: now('nodes of the site that is in force'),
    loaded: since('edits of the site that came into force, the first loading included'),
    rejected: since('edits of the site that were refused'),
    refused: now('1 while the site folder is refused as it is, else 0'),
  },
  events: {
    emitted: since('events'),
    admitted: since('events that the budget let pass to the logs'),
    limited: since('events that exceeded the budget'),
    saved: since('events that were saved'),
    dropped: since('events that were given up because the disk did not take them in time'),
    waiting: now('events that wait for the disk'),
  },
  timeline: {
    nodes: now('nodes with a boot on record'),
    booting: now('nodes whose newest boot goes on'),
    failed: now('nodes whose newest boot failed'),
    ready: now('nodes whose newest boot is ready'),
    unsaved: now('boots that are not saved yet'),
  },
  strangers: {
    strangers: now('machines on record that the site does not list'),
  },
  tokens: {
    nodes: now('nodes with a token, or on their way to one'),
    issued: since('tokens handed out'),
    refused: since('requests refused for their token, or for the lack of one'),
  },
  bundles: {
    nodes: now('nodes that reported which files they have'),
    manifestLength: now('text of their manifests, in UTF-16 code units'),
    sent: since('bundles sent'),
    reports: since('reports of nodes about their files'),
  },
  orders: {
    waiting: now('nodes that wait for an order'),
    orders: now('orders that wait for a node'),
    taken: since('orders that nodes took'),
  },
  rolls: {
    rolls: now('rolls on record'),
    active: now('rolls under way'),
    out: now('nodes that rolls under way have out of service'),
    pins: now('nodes that are pinned to an image'),
  },
  cloud: {
    expected: now('nodes that should be in service'),
    inService: now('nodes that the cloud has in service'),
    rounds: since('times that the cloud was asked about its nodes'),
    failed: since('times that it could not be asked'),
  },
  state: {
    asked: since('transactions of the state'),
    failed: since('transactions of the state that failed'),
    waiting: now('transactions of the state that wait for the disk'),
    oldestMs: now('milliseconds that the oldest of them has waited'),
  },
  'state-events': {
    asked: since('transactions of the events'),
    failed: since('transactions of the events that failed'),
    waiting: now('transactions of the events that wait for the disk'),
    oldestMs: now('milliseconds that the oldest of them has waited'),
  },
  images: {
    damaged: since('times that an image on the shelf was not as its manifest says'),
  },
  log: {
    lost: since('log messages that syslog or journald did not take'),
  },
  dhcp: {
    requests: since('requests that came'),
    unread: since('requests that could not be read'),
    offer: since('requests answered with an OFFER'),
    ack: since('requests answered with an ACK'),
    bootp: since('requests of BOOTP answered'),
    inform: since('INFORMs answered with an ACK'),
    nak: since('requests answered with a NAK'),
    change: since('RELEASEs and DECLINEs taken in'),
    'other-server': since('requests that took another server’s offer'),
    silence: since('requests without an answer'),
    leases: now('leases on record, those that are over too'),
  },
  tftp: {
    transfers: now('transfers that run'),
    unheard: now('transfers whose client has not answered yet'),
    sent: since('whole files sent'),
    bytesSent: since('bytes of whole files sent'),
  },
  http: {
    connections: now('connections that are open'),
    refusedConnections: since('connections that were refused'),
    requests: since('requests that came'),
    downloads: now('transfers of large files that run'),
    filesSent: since('whole boot files sent'),
    fileBytesSent: since('bytes of whole boot files sent'),
    filesUnreported: since('boot files sent of which there is no event, because too many went out at once'),
  },
  operators: {},
  api: {
    connections: now('connections that are open'),
    refusedConnections: since('connections that were refused'),
    requests: since('requests that came'),
    refused: since('requests that were refused for their token, its role or their number'),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Measure>>>>;

export type Measured = keyof typeof MEASURES;

/** The numbers of a service or part of this name. */
export type GaugesOf<Name extends Measured> = { readonly [Of in keyof (typeof MEASURES)[Name]]: number };
