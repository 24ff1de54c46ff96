import { ReveilleError } from '../errors.ts';
import { type FaultSink, guarded } from '../faults.ts';
import type { EventSink } from '../model/event.ts';
import type { Gauges } from '../model/gauges.ts';
import { formatIpv4, type Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import type { Network } from '../model/network.ts';
import { leaseEnded, refusalWords } from '../words/dhcp.ts';
import { Admission } from './admission.ts';
import { answer } from './answer.ts';
import { LeaseBook } from './book.ts';
import { SteadyClock, shifted } from './clock.ts';
import { SERVER_PORT } from './destination.ts';
import { receivedEvents } from './events.ts';
import { type Exchange, exchangeOf, readExchange, type Sender } from './exchange.ts';
import { Executor } from './executor.ts';
import { HeardNetworks, type Lack } from './heard.ts';
import { addressOf, holderOf } from './holders.ts';
import type { LeaseStore } from './leaseStore.ts';
import type { Plan } from './plan.ts';
import { type DhcpPort, Port, type PortListener } from './port.ts';
import { Ports } from './ports.ts';
import { LeaseRecords } from './records.ts';
import { Reports } from './reports.ts';
import type { DhcpSite } from './site.ts';
import type { BootDecision, View } from './view.ts';

export type DhcpOptions = {
  /** Asked at the start and at each `reload`; its networks have their servers' addresses where this machine has them. */
  readonly site: () => DhcpSite;
  readonly store: LeaseStore;
  readonly boot: BootDecision;
  readonly events: EventSink;
  /** Takes in exceptions that no code expected; if not given, they become events. */
  readonly faulted?: FaultSink;
  readonly clock?: SteadyClock;
  /** Whether this machine has an address, where that can change; asked at the start and at each `reload`. */
  readonly isOwn?: (ip: Ipv4) => boolean;
  /** The address has another lease, or none any more: `leaseAt` has what it is now. */
  readonly leaseChanged?: (ip: Ipv4) => void;
  /** 67 if not given. */
  readonly port?: number;
  /** Listens on an interface, or throws why not; `Port` if not given. */
  readonly openPort?: (name: string, udpPort: number, listener: PortListener) => DhcpPort;
};

export type DhcpServer = {
  /** Takes over the site, and this machine's interfaces, as they are now. Trouble with an interface becomes an event. */
  reload(): Promise<void>;
  /** Since the start: requests that came, those that could not be read, and what they were answered with; leases on record. */
  gauges(): Gauges;
  /** Stops listening; leases that are on their way to disk still get there. */
  close(): Promise<void>;
  /**
   * The address that a machine holds now in `network`, if any. Without a network: the only one that it holds in any; for a MAC
   * that holds addresses in two networks it is not known which machine is meant.
   */
  addressOf(mac: Mac, network: string | undefined): Ipv4 | undefined;
  /** Who holds an address now, if anybody. A node's MAC address on a wire that the node does not belong to counts as no holder. */
  holderOf(ip: Ipv4): Mac | undefined;
  /** Every lease on record, those that are over too, by the wall clock. */
  leases(): readonly Lease[];
  /** Ends the lease of an address, as if its machine had given it back; resolves once that is on disk. Throws LEASE_UNKNOWN. */
  release(ip: Ipv4): Promise<Lease>;
};

/** A server in the thread that started it. */
export type LocalDhcpServer = DhcpServer & {
  /** The lease of an address, by the wall clock. */
  leaseAt(ip: Ipv4): Lease | undefined;
};

/** Answers DHCPv4 on every interface that the site names. Rejects if one that is there cannot be listened on; others are waited for. */
export async function startDhcpServer(options: DhcpOptions): Promise<LocalDhcpServer> {
  const server = new Server(options);
  await server.start();
  return server;
}

const openPort: NonNullable<DhcpOptions['openPort']> = (name, udpPort, listener) => new Port(name, udpPort, listener);

class Server implements LocalDhcpServer {
  readonly #options: DhcpOptions;
  readonly #emit: EventSink;
  readonly #faulted: FaultSink;
  readonly #book: LeaseBook;
  readonly #clock: SteadyClock;
  readonly #admission = new Admission();
  readonly #reports: Reports;
  readonly #records: LeaseRecords;
  readonly #executor: Executor;
  readonly #ports: Ports;
  readonly #heard: HeardNetworks;
  readonly #counts: Record<Counted, number> = { requests: 0, unread: 0, ...NO_ANSWERS };
  #site: DhcpSite;

  constructor(options: DhcpOptions) {
    this.#options = options;
    this.#faulted = options.faulted ?? ((error) => this.#reports.trouble(error));
    this.#emit = guarded((error) => options.faulted?.(error), options.events);
    this.#reports = new Reports({ emit: this.#emit, isListed: (mac) => this.#site.nodeByMac.has(mac) });
    const { leaseChanged = () => {} } = options;
    this.#book = new LeaseBook(guarded(this.#faulted, leaseChanged));
    this.#clock = options.clock ?? new SteadyClock();
    this.#records = new LeaseRecords({
      store: options.store,
      book: this.#book,
      clock: this.#clock,
      emit: this.#emit,
      faulted: this.#faulted,
      stepped: () => {
        for (const { ip } of this.#book.leases()) leaseChanged(ip);
      },
      loaded: () => this.#reportMisplaced(),
    });
    this.#executor = new Executor({
      book: this.#book,
      admission: this.#admission,
      records: this.#records,
      reports: this.#reports,
      answerAgain: (exchange, answered) => this.#answerAgain(exchange, answered),
      faulted: this.#faulted,
    });
    this.#heard = new HeardNetworks(this.#emit);
    this.#ports = new Ports({
      open: (name) => this.#open(name),
      opened: () => this.#reportHeard(NOTHING),
      troubled: (error) => this.#reports.trouble(error),
      faulted: this.#faulted,
    });
    this.#site = options.site();
  }

  async start(): Promise<void> {
    this.#takeSite();
    try {
      await this.#records.start();
      this.#ports.start(this.#interfaces());
      this.#reportHeard(NOTHING);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async reload(): Promise<void> {
    this.#takeSite();
    this.#reportHeard(this.#ports.follow(this.#interfaces()));
  }

  async close(): Promise<void> {
    this.#ports.stopReceiving();
    await this.#records.close();
    this.#executor.close();
    this.#ports.close();
    this.#reports.close();
  }

  addressOf(mac: Mac, network: string | undefined): Ipv4 | undefined {
    return addressOf(mac, network, { leases: this.#book, site: this.#site, now: this.#records.now() });
  }

  holderOf(ip: Ipv4): Mac | undefined {
    return holderOf(ip, { leases: this.#book, site: this.#site, now: this.#records.now() });
  }

  gauges(): Gauges {
    return { ...this.#counts, leases: this.#book.size };
  }

  leases(): readonly Lease[] {
    return [...this.#book.leases()].map((lease) => shifted(lease, this.#clock.offset));
  }

  leaseAt(ip: Ipv4): Lease | undefined {
    const lease = this.#book.leaseAt(ip);
    return lease && shifted(lease, this.#clock.offset);
  }

  release(ip: Ipv4): Promise<Lease> {
    const lease = this.#book.leaseAt(ip);
    if (!lease || lease.state === 'released')
      throw new ReveilleError('LEASE_UNKNOWN', `no machine holds ${formatIpv4(ip)}`, {
        hint: 'reveille lease list names all',
      });
    const { mac, network } = lease;
    const ended: Lease = { ...lease, state: 'released', expires: this.#records.now() };
    return new Promise((resolve, reject) => {
      const done = () => {
        this.#emit({ kind: 'dhcp.release', stage: 'os', mac, ip, network, ...leaseEnded('released-by-operator') });
        resolve(ended);
      };
      this.#executor.end(ended, done, (refusal) =>
        reject(new ReveilleError('STATE_UNAVAILABLE', refusalWords(refusal))),
      );
    });
  }

  /** The whole way of a request: read, reported as received, answered, and the answer carried out. */
  #receive(port: DhcpPort, bytes: Buffer, sender: Sender): void {
    const exchange = readExchange(bytes, sender, port.name, this.#site);
    this.#counts.requests++;
    if (exchange.kind !== 'exchange') {
      this.#counts.unread++;
      this.#reports.unread(exchange);
      return;
    }
    const view = this.#view();
    for (const event of receivedEvents(exchange, view)) this.#reports.report(event);
    const plan = answer(exchange, view);
    this.#counts[plan.kind]++;
    this.#executor.carryOut(plan, exchange, port);
  }

  /** The site may have changed while a probe waited for an answer. */
  #answerAgain({ request, sender, interface: name }: Exchange, answered: View['answered']): Plan {
    const view = this.#view();
    const exchange = exchangeOf(request, sender, name, this.#site);
    return answer(exchange, answered === undefined ? view : { ...view, answered });
  }

  /** What answers depend on, as of now: what expired since the last one is taken back first. */
  #view(): View {
    const now = this.#records.now();
    this.#book.expire(now);
    this.#admission.expire(now);
    return {
      book: this.#book,
      admission: this.#admission,
      boot: this.#options.boot,
      hasRecords: this.#records.isLoaded,
      now,
    };
  }

  #open(name: string): DhcpPort {
    const open = this.#options.openPort ?? openPort;
    const port = open(name, this.#options.port ?? SERVER_PORT, {
      received: (port, bytes, sender) => this.#receive(port, bytes, sender),
      isListed: (mac) => this.#site.nodeByMac.has(mac),
      dropped: () => this.#reports.dropped(name),
      unsent: (to, code) => this.#reports.unsent(to.ip, code),
      broken: (error) => this.#reports.trouble(error),
      faulted: this.#faulted,
    });
    port.probeBy(this.#site.dhcp.probe);
    return port;
  }

  #takeSite(): void {
    this.#site = this.#options.site();
    this.#records.configure(this.#site);
    this.#admission.configure(this.#site);
    for (const port of this.#ports) port.probeBy(this.#site.dhcp.probe);
    if (this.#records.isLoaded) this.#reportMisplaced();
  }

  #interfaces(): ReadonlySet<string> {
    return new Set(
      [...this.#site.networks.values()].flatMap(({ interface: name }) => (name === undefined ? [] : [name])),
    );
  }

  #reportMisplaced(): void {
    this.#reports.misplaced(this.#book.misplaced(this.#records.now()));
  }

  #reportHeard(remade: ReadonlySet<string>): void {
    const isOwn = this.#options.isOwn ?? (() => true);
    const lackOf = ({ interface: name, server }: Network): Lack | undefined => {
      const lacks = name === undefined ? undefined : this.#ports.lacks(name);
      return lacks ?? (server === undefined || !isOwn(server) ? 'address' : undefined);
    };
    this.#heard.update(this.#site.networks, lackOf, remade);
  }
}

const NOTHING: ReadonlySet<string> = new Set();

type Counted = 'requests' | 'unread' | Plan['kind'];

const NO_ANSWERS: Record<Plan['kind'], number> = {
  offer: 0,
  ack: 0,
  bootp: 0,
  inform: 0,
  nak: 0,
  change: 0,
  'other-server': 0,
  silence: 0,
};
