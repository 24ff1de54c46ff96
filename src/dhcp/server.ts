import type { BootAnswer, BootClient } from '../boot/client.ts';
import { ReveilleError, troubleOf } from '../errors.ts';
import { type FaultSink, guarded } from '../faults.ts';
import type { EventSink, Machine } from '../model/event.ts';
import { formatIpv4, type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import type { Network } from '../model/network.ts';
import type { SiteNode } from '../model/node.ts';
import { nameOfOption, OPTION } from '../model/options.ts';
import type { Refusal } from '../model/refusal.ts';
import { Seldom } from '../timeline/seldom.ts';
import { Tallies } from '../timeline/tallies.ts';
import { Tally } from '../timeline/tally.ts';
import { bootReasonWords } from '../words/boot.ts';
import { Admission } from './admission.ts';
import { LeaseBook, OFFER_MS } from './book.ts';
import { classesOf } from './classes.ts';
import { type Client, clientOf } from './client.ts';
import { SteadyClock } from './clock.ts';
import { destinationOf, SERVER_PORT } from './destination.ts';
import { givenBoot, type Layers } from './given.ts';
import { HeardNetworks, type Lack } from './heard.ts';
import type { LeaseStore } from './leaseStore.ts';
import { hostnameOf, machineOf, viaOf } from './machine.ts';
import { read } from './optionSet.ts';
import { type DhcpPacket, decodePacket, encodeWithin, MESSAGE } from './packet.ts';
import { asksElsewhere, canProbe, type Decision, decide, declined, whyUnserved } from './policy.ts';
import { Port, type Sender } from './port.ts';
import { Ports } from './ports.ts';
import { isPrivileged } from './privileged.ts';
import { LeaseRecords } from './records.ts';
import { boundsFor, composeNak, composeReply } from './reply.ts';
import type { DhcpSite } from './site.ts';
import { switchPortOf } from './switchPort.ts';
import { heldAddress, isOnWire, type ServedNetwork, type Wire, wireOf } from './wire.ts';
import { leaseEnded, refusalWords, refused } from './words.ts';

export type DhcpOptions = {
  /** Asked at the start and at each `reload`; its networks have their servers' addresses where this machine has them. */
  readonly site: () => DhcpSite;
  readonly store: LeaseStore;
  readonly boot: (client: BootClient, node: SiteNode | undefined, network: ServedNetwork) => BootAnswer;
  readonly events: EventSink;
  /** Takes in exceptions that no code expected; if not given, they become events. */
  readonly faulted?: FaultSink;
  readonly clock?: SteadyClock;
  /** Whether this machine has an address, where that can change; asked at the start and at each `reload`. */
  readonly isOwn?: (ip: Ipv4) => boolean;
  /** 67 if not given. */
  readonly port?: number;
};

export type DhcpServer = {
  /** Takes over the site, and this machine's interfaces, as they are now. Trouble with an interface is told as an event. */
  reload(): Promise<void>;
  /** Stops listening; leases that are on their way to disk still get there. */
  close(): Promise<void>;
  /**
   * The address that a machine holds now in `network`, if any. Without a network: the only one that it holds in any; for a MAC
   * that holds addresses in two networks it is not known which machine is meant.
   */
  addressOf(mac: Mac, network: string | undefined): Ipv4 | undefined;
  /** Who holds an address now, if anybody. A node's MAC address on a wire that the node does not belong to counts as no holder. */
  holderOf(ip: Ipv4): Mac | undefined;
  /** Every lease on record, those that are over too. */
  leases(): readonly Lease[];
  /** Ends the lease of an address, as if its machine had given it back; resolves once that is on disk. Throws LEASE_UNKNOWN. */
  release(ip: Ipv4): Promise<Lease>;
};

/** Probes that run at once; a client beyond them gets its offer when it asks again. */
const MOST_PROBES = 256;
/** Of these, what machines that the site does not list may have: nodes do not wait behind a flood of them. */
const MOST_STRANGERS_PROBES = 192;
/** How many addresses are tried for one client before it has to ask again. */
const MOST_TRIES = 3;

/** Answers DHCPv4 on every interface that the site names. Rejects if one that is there cannot be listened on; others are waited for. */
export async function startDhcpServer(options: DhcpOptions): Promise<DhcpServer> {
  const server = new Server(options);
  await server.start();
  return server;
}

class Server implements DhcpServer {
  readonly #options: DhcpOptions;
  readonly #emit: EventSink;
  readonly #faulted: FaultSink;
  readonly #book = new LeaseBook();
  readonly #admission = new Admission();
  readonly #records: LeaseRecords;
  readonly #malformed: Tally;
  readonly #unsent: Tally;
  readonly #dropped: Tally;
  readonly #ports: Ports;
  readonly #heard: HeardNetworks;
  /** Clients, each in its network, for whom an address is being tried. */
  readonly #probing = new Set<string>();
  readonly #elsewhere = new Seldom();
  /** Addresses of leases that have no place in the site, as they were last reported. */
  #misplaced: ReadonlySet<Ipv4> = new Set();
  /** Options that were left out of replies, by network. */
  readonly #leftOut = new Set<string>();
  readonly #relays: Tallies<{ readonly mac: Mac; readonly refusal: Refusal }>;
  #site: DhcpSite;
  #closed = false;

  constructor(options: DhcpOptions) {
    this.#options = options;
    this.#faulted = options.faulted ?? ((error) => this.#trouble(error));
    this.#emit = guarded((error) => options.faulted?.(error), options.events);
    this.#records = new LeaseRecords({
      store: options.store,
      book: this.#book,
      clock: options.clock ?? new SteadyClock(),
      emit: this.#emit,
      faulted: this.#faulted,
      loaded: () => this.#reportMisplaced(),
    });
    this.#malformed = new Tally((count, sample) =>
      this.#emit({ kind: 'packets.malformed', service: 'dhcp', count, sample }),
    );
    this.#unsent = new Tally((count, sample) =>
      this.#emit({
        kind: 'server.trouble',
        code: 'REPLY_UNSENT',
        message: `${count} DHCP replies not sent: ${sample}`,
      }),
    );
    this.#relays = new Tallies((via, count, { mac, refusal }) =>
      this.#emit({
        kind: 'dhcp.refused',
        mac,
        via: via ?? 'many relays',
        ...refused(refusal),
        ...(count > 1 ? { count } : {}),
      }),
    );
    this.#dropped = new Tally((count, name) =>
      this.#emit({
        kind: 'server.trouble',
        code: 'REQUESTS_DROPPED',
        message: `${count} DHCP requests of machines that the site does not list dropped on ${name}: more come than can be answered`,
      }),
    );
    this.#heard = new HeardNetworks(this.#emit);
    this.#ports = new Ports({
      open: (name) => this.#open(name),
      opened: () => this.#reportHeard(NOTHING),
      troubled: (error) => this.#trouble(error),
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
    this.#closed = true;
    this.#ports.close();
    this.#relays.close();
    this.#malformed.close();
    this.#unsent.close();
    this.#dropped.close();
  }

  addressOf(mac: Mac, network: string | undefined): Ipv4 | undefined {
    const now = this.#records.now();
    const held: Ipv4[] = [];
    for (const name of this.#site.networks.keys()) {
      if (network !== undefined && name !== network) continue;
      const lease = this.#book.leaseOf(name, mac);
      if (lease?.state === 'bound' && lease.expires > now) held.push(lease.ip);
    }
    return held.length === 1 ? held[0] : undefined;
  }

  leases(): readonly Lease[] {
    return [...this.#book.leases()];
  }

  release(ip: Ipv4): Promise<Lease> {
    const lease = this.#book.leaseAt(ip);
    if (!lease || lease.state === 'released')
      throw new ReveilleError('LEASE_UNKNOWN', `nobody holds ${formatIpv4(ip)}`, {
        hint: 'reveille lease list names all',
      });
    const ended: Lease = { ...lease, state: 'released', expires: this.#records.now() };
    this.#admission.drop(ip);
    return new Promise((resolve, reject) => {
      const done = () => {
        const { mac, network } = lease;
        this.#emit({ kind: 'dhcp.release', stage: 'os', mac, ip, network, ...leaseEnded('released-by-operator') });
        resolve(ended);
      };
      this.#records.save(ended, done, (refusal) =>
        reject(new ReveilleError('STATE_UNAVAILABLE', refusalWords(refusal))),
      );
    });
  }

  holderOf(ip: Ipv4): Mac | undefined {
    const lease = this.#book.leaseAt(ip);
    if (lease?.state !== 'bound' || lease.expires <= this.#records.now()) return undefined;
    const own = this.#site.nodeByMac.get(lease.mac)?.network;
    return own === undefined || this.#shareWire(own, lease.network) ? lease.mac : undefined;
  }

  #shareWire(one: string, other: string): boolean {
    const through = this.#site.networks.get(one)?.interface;
    return one === other || (through !== undefined && this.#site.networks.get(other)?.interface === through);
  }

  #takeSite(): void {
    this.#site = this.#options.site();
    this.#records.configure(this.#site);
    this.#admission.configure(this.#site);
    for (const port of this.#ports) port.probeBy(this.#site.dhcp.probe);
    if (this.#records.isLoaded) this.#reportMisplaced();
  }

  /** Once for each lease; it stays in the state, and counts again where the site has a place for it again. */
  #reportMisplaced(): void {
    const { nowhere, unlent } = this.#book.misplaced(this.#records.now());
    const all = [...nowhere, ...unlent];
    const isNew = all.some(({ ip }) => !this.#misplaced.has(ip));
    this.#misplaced = new Set(all.map(({ ip }) => ip));
    if (isNew)
      this.#emit({ kind: 'server.trouble', code: 'LEASES_MISPLACED', message: misplacedWords(nowhere, unlent) });
  }

  #interfaces(): ReadonlySet<string> {
    return new Set(
      [...this.#site.networks.values()].flatMap(({ interface: name }) => (name === undefined ? [] : [name])),
    );
  }

  #reportHeard(remade: ReadonlySet<string>): void {
    const isOwn = this.#options.isOwn ?? (() => true);
    const lackOf = ({ interface: name, server }: Network): Lack | undefined => {
      const lacks = name === undefined ? undefined : this.#ports.lacks(name);
      return lacks ?? (server === undefined || !isOwn(server) ? 'address' : undefined);
    };
    this.#heard.update(this.#site.networks, lackOf, remade);
  }

  #open(name: string): Port {
    const port = new Port(name, this.#options.port ?? SERVER_PORT, {
      received: (port, bytes, sender) => this.#receive(port, bytes, sender),
      isListed: (mac) => this.#site.nodeByMac.has(mac),
      dropped: () => this.#dropped.note(name),
      unsent: (to, code) => this.#unsent.note(`${formatIpv4(to.ip)}: ${UNSENT[code] ?? code}`),
      broken: (error) => this.#trouble(error),
      faulted: this.#faulted,
    });
    port.probeBy(this.#site.dhcp.probe);
    return port;
  }

  #receive(port: Port, bytes: Buffer, sender: Sender): void {
    const decoded = decodePacket(bytes);
    if (!decoded.ok) {
      this.#malformed.note(decoded.reason);
      return;
    }
    if (decoded.packet.op !== 'request') return;
    const request = decoded.packet;
    const wire = wireOf(request, this.#site, port.name, sender.ip);
    if (wire.reach === 'relayed' && wire.networks.length === 0) {
      this.#refuseRelay(port, request);
      return;
    }
    const isElsewhere = this.#noteElsewhere(port, request, wire);
    const asked = { port, request, client: clientOf(request), sender, isElsewhere };
    this.#tellReceived(asked);
    this.#answer(asked);
  }

  /** A relay of no network of ours may be made up with each packet: it gets no answer, and an event a minute. */
  #refuseRelay(port: Port, request: DhcpPacket): void {
    const { chaddr: mac } = request;
    const via = viaOf(port.name, request);
    const refusal = whyUnserved(request, port.name);
    if (!this.#site.nodeByMac.has(mac)) this.#relays.note(via, { mac, refusal });
    else if (this.#elsewhere.lets(`${mac} ${via}`)) this.#emit({ kind: 'dhcp.refused', mac, via, ...refused(refusal) });
  }

  /** Whether the MAC address is of a node that belongs elsewhere; once a minute for each and each network it is an event. */
  #noteElsewhere(port: Port, request: DhcpPacket, wire: Wire): boolean {
    const mac = request.chaddr;
    const node = this.#site.nodeByMac.get(mac);
    if (node?.network === undefined) return false;
    const [here] = wire.networks;
    if (!here || !asksElsewhere(node, wire)) return false;
    if (this.#elsewhere.lets(`${mac} ${here.name}`)) {
      const via = viaOf(port.name, request);
      this.#emit({ kind: 'dhcp.wrong-network', mac, network: here.name, expected: node.network, via });
    }
    return true;
  }

  #answer(asked: Asked): void {
    const { request } = asked;
    const decision = this.#decide(asked);
    switch (decision.kind) {
      case 'offer':
        this.#offer(asked, decision);
        break;
      case 'ack':
        this.#acknowledge(asked, decision);
        break;
      case 'inform':
        this.#send(asked, 'ack', decision, decision.ip);
        break;
      case 'bootp':
        this.#send(asked, 'bootp', decision, decision.ip);
        break;
      case 'nak':
        this.#refuse(asked, decision);
        break;
      case 'change':
        this.#change(asked, decision);
        break;
      case 'other-server':
        for (const { name } of decision.wire) this.#book.withdraw(name, request.chaddr);
        this.#emit({
          kind: 'dhcp.other-server',
          mac: request.chaddr,
          server: decision.server,
          network: decision.network.name,
        });
        break;
      case 'silence':
        this.#refused(asked, decision.refusal);
        break;
    }
  }

  #refused({ port, request }: Asked, refusal: Refusal): void {
    this.#emit({ kind: 'dhcp.refused', mac: request.chaddr, via: viaOf(port.name, request), ...refused(refusal) });
  }

  #decide({ port, request, client, sender }: Asked, answered?: Ipv4): Decision {
    const now = this.#records.now();
    this.#book.expire(now);
    this.#admission.expire(now);
    return decide(request, client, {
      site: this.#site,
      book: this.#book,
      admission: this.#admission,
      hasRecords: this.#records.isLoaded,
      interface: port.name,
      from: sender.ip,
      ...(answered === undefined ? {} : { answered }),
      now,
    });
  }

  #offer(asked: Asked, decision: Offer): void {
    const { mac } = asked.client;
    const who = `${decision.network.name} ${mac}`;
    // The client asks again while an address is being tried for it: the answer is on its way.
    if (this.#probing.has(who)) return;
    if (!decision.probe || !canProbe(this.#site, asked.request)) {
      this.#hold(mac, decision);
      this.#send(asked, 'offer', decision, decision.ip);
    } else if (this.#probing.size >= (decision.stranger ? MOST_STRANGERS_PROBES : MOST_PROBES)) {
      this.#emit({ kind: 'dhcp.refused', mac, ...refused({ code: 'probes-busy', probes: this.#probing.size }) });
    } else {
      this.#probing.add(who);
      this.#tryOut(asked, decision)
        .catch(this.#faulted)
        .finally(() => this.#probing.delete(who));
    }
  }

  #hold(mac: Mac, { network, ip, stranger }: Offer): void {
    const now = this.#records.now();
    const { until } = this.#book.offer(network.name, mac, ip, now);
    if (stranger) this.#admission.take(stranger, ip, until, now);
  }

  /** Offers the first address that no other machine answers for. An address of a pool is held meanwhile, so that no other client is offered it. */
  async #tryOut(asked: Asked, first: Offer): Promise<void> {
    const { client } = asked;
    let offer: Decision = first;
    for (let tries = 0; tries < MOST_TRIES && offer.kind === 'offer'; tries++) {
      if (!offer.heldBy) this.#hold(client.mac, offer);
      const isInUse = offer.probe && (await this.#isInUse(asked, offer));
      if (this.#closed) return;
      if (!isInUse) {
        if (offer.heldBy) this.#hold(client.mac, offer);
        this.#send(asked, 'offer', offer, offer.ip);
        return;
      }
      offer = this.#afterAnswer(asked, offer);
    }
    if (offer.kind === 'silence') this.#refused(asked, offer.refusal);
  }

  /** Whether a machine other than the client's own answers for the address that it would be offered. */
  async #isInUse({ port, client, request }: Asked, { ip, network }: Offer): Promise<boolean> {
    const { probe, probeMs } = this.#site.dhcp;
    if (probe === 'off') return false;
    const own = this.#site.nodeByMac.get(client.mac)?.macs ?? [client.mac];
    return port.isInUse(ip, network.server, probeMs, request.giaddr === UNSPECIFIED ? own : []);
  }

  /** What is decided where a machine answers for the address. */
  #afterAnswer(asked: Asked, { ip, network, heldBy }: Offer): Decision {
    const { mac } = asked.client;
    if (heldBy) {
      const refusal = refused({ code: 'own-address-in-use', ip, holder: heldBy.mac });
      this.#emit({ kind: 'dhcp.refused', mac, network: network.name, ...refusal });
      return this.#decide(asked, ip);
    }
    this.#save(declined(ip, mac, network.name, this.#records.now()), () => {});
    this.#emit({ kind: 'dhcp.refused', mac, network: network.name, ...refused({ code: 'free-address-in-use', ip }) });
    return this.#decide(asked);
  }

  #acknowledge(asked: Asked, decision: Decision & { kind: 'ack' }): void {
    const { lease, needsRecord, stranger } = decision;
    const answer = (): void => {
      if (stranger) this.#admission.hold(stranger.port, lease.ip, lease.expires);
      if (!this.#closed) this.#send(asked, 'ack', decision, lease.ip);
    };
    const before = this.#book.leaseOf(lease.network, lease.mac);
    if (before && before.ip !== lease.ip) this.#admission.drop(before.ip);
    const now = this.#records.now();
    if (stranger) this.#admission.take(stranger, lease.ip, now + OFFER_MS, now);
    if (needsRecord) this.#save(lease, answer);
    else this.#records.keep(lease, answer);
  }

  /** The book changes at once, so that the address is taken; what follows waits until the lease is on disk. */
  #save(lease: Lease, then: () => void): void {
    const { mac, ip, network } = lease;
    this.#records.save(lease, then, (refusal) =>
      this.#emit({ kind: 'dhcp.refused', mac, ip, network, ...refused(refusal) }),
    );
  }

  #change(asked: Asked, decision: Decision & { kind: 'change' }): void {
    const { lease, event, end } = decision;
    // A RELEASE seldom says a name: the lease has it.
    const { hostname } = lease;
    const who = { ...(hostname === undefined ? {} : { hostname }), ...this.#who(asked) };
    if (lease.state === 'released') this.#admission.drop(lease.ip);
    else if (!this.#site.nodeByMac.has(lease.mac))
      this.#admission.hold(switchPortOf(asked.request), lease.ip, lease.expires);
    this.#save(lease, () =>
      this.#emit({ kind: event, ...who, ip: lease.ip, network: lease.network, ...leaseEnded(end) }),
    );
  }

  #refuse(asked: Asked, { network, refusal, lease }: Decision & { kind: 'nak' }): void {
    const { request } = asked;
    if (lease) {
      this.#admission.drop(lease.ip);
      this.#save(lease, () => {});
    }
    const why = refused(refusal);
    this.#transmit(asked, composeNak(request, network, why.reason), network, true);
    const requested = read(request.options, OPTION.requestedAddress) ?? (request.ciaddr || undefined);
    this.#emit({
      kind: 'dhcp.nak',
      ...this.#who(asked),
      ...(requested === undefined ? {} : { requested }),
      network: network.name,
      ...why,
    });
  }

  #send(asked: Asked, type: 'offer' | 'ack' | 'bootp', to: Layers & { readonly seconds?: number }, ip: Ipv4): void {
    const { request, client } = asked;
    const { network, node } = to;
    const boot = givenBoot(to, () => (client.wantsBoot ? this.#options.boot(client, node, network) : NO_BOOT));
    const reply = composeReply(type, { ...to, request, client, ip, boot });
    this.#transmit(asked, reply, network, false);
    this.#emit({
      kind: type === 'offer' ? 'dhcp.offer' : 'dhcp.ack',
      ...this.#who(asked),
      ip,
      network: network.name,
      ...(type === 'bootp' ? { bootp: true as const, ...this.#unprivileged(asked) } : {}),
      ...(read(request.options, OPTION.messageType) === MESSAGE.inform ? { informs: true as const } : {}),
      ...(boot.kind === 'boot' && client.wantsBoot ? { bootFile: boot.bootFile } : {}),
      ...(boot.kind === 'none' && client.stage !== 'os' ? { reason: bootReasonWords(boot.reason) } : {}),
    });
  }

  #transmit({ port, request, client, sender }: Asked, reply: DhcpPacket, network: ServedNetwork, isNak: boolean): void {
    const isLocal = (ip: Ipv4): boolean => isOnWire(this.#site, port.name, ip);
    const to = destinationOf(request, { yiaddr: reply.yiaddr, isNak, from: sender, isLocal });
    const bounds = boundsFor(request, client);
    const limit = port.room(to, bounds.limit);
    const { bytes, left } = encodeWithin(reply, { ...bounds, limit });
    port.send(to, network.server, bytes);
    for (const option of left) this.#reportLeft(request.chaddr, network, option, limit);
  }

  /** Once for each network and option. */
  #reportLeft(mac: Mac, { name: network }: ServedNetwork, option: number, bytes: number): void {
    const key = `${network} ${option}`;
    if (this.#leftOut.has(key)) return;
    this.#leftOut.add(key);
    const name = nameOfOption(option);
    this.#emit({ kind: 'dhcp.option-left', mac, network, option, bytes, ...(name === undefined ? {} : { name }) });
  }

  #tellReceived(asked: Asked): void {
    const { request, client, sender } = asked;
    const type = read(request.options, OPTION.messageType);
    const kind =
      type === MESSAGE.discover
        ? 'dhcp.discover'
        : type === MESSAGE.request
          ? 'dhcp.request'
          : type === MESSAGE.inform
            ? 'dhcp.inform'
            : undefined;
    if (!kind) return;
    const requested = read(request.options, OPTION.requestedAddress) ?? (heldAddress(request, sender.ip) || undefined);
    const chosen = read(request.options, OPTION.serverId);
    this.#emit({
      kind,
      ...this.#who(asked),
      ...(requested === undefined ? {} : { requested }),
      ...(chosen === undefined ? {} : { chosen }),
      ...(this.#site.nodeByMac.has(client.mac) ? {} : this.#strangerIn(asked)),
      ...this.#unprivileged(asked),
    });
  }

  /** What is noted of a machine that the site does not list. */
  #strangerIn({ request, client }: Asked): { readonly machine: Machine; readonly classes?: readonly string[] } {
    const classes = classesOf(request, client, this.#site).map(({ name }) => name);
    return { machine: machineOf(request, client), ...(classes.length === 0 ? {} : { classes }) };
  }

  #unprivileged({ request, sender }: Asked): { readonly unprivileged?: true } {
    return isPrivileged(request, sender, (ip) => this.#isOfNode(ip)) ? {} : { unprivileged: true };
  }

  /** What every event of an exchange says of its client. */
  #who({ port, request, client: { mac, stage }, isElsewhere }: Asked) {
    const hostname = hostnameOf(request);
    return {
      mac,
      stage,
      via: viaOf(port.name, request),
      ...(hostname === undefined ? {} : { hostname }),
      ...(isElsewhere ? { wrongNetwork: true as const } : {}),
    };
  }

  #isOfNode(ip: Ipv4): boolean {
    const holder = this.#book.leaseAt(ip)?.mac;
    return this.#site.nodeByIp.has(ip) || (holder !== undefined && this.#site.nodeByMac.has(holder));
  }

  #trouble(error: unknown): void {
    this.#emit({ kind: 'server.trouble', ...troubleOf(error) });
  }
}

/** One request on its way to an answer. */
type Asked = {
  readonly port: Port;
  readonly request: DhcpPacket;
  readonly client: Client;
  readonly sender: Sender;
  readonly isElsewhere: boolean;
};

type Offer = Decision & { readonly kind: 'offer' };

/** Which leases have no place in the site, in one line. */
function misplacedWords(nowhere: readonly Lease[], unlent: readonly Lease[]): string {
  const parts = [
    [nowhere, 'in no network of the site', 'they are kept, and count again with such a network'] as const,
    [unlent, 'that no pool lends any more', 'their machines are refused when they renew'] as const,
  ];
  return parts
    .flatMap(([leases, what, so]) => {
      const [first] = leases;
      if (!first) return [];
      const others = leases.length === 1 ? '' : ` and ${leases.length - 1} more`;
      const counted = leases.length === 1 ? 'a lease runs' : `${leases.length} leases run`;
      return [`${counted} for addresses ${what} (${formatIpv4(first.ip)} of ${first.mac}${others}): ${so}`];
    })
    .join('; ');
}

const NOTHING: ReadonlySet<string> = new Set();

const NO_BOOT: BootAnswer = { kind: 'none', reason: { code: 'not-asked' } };

/** Why a reply was dropped, in words. */
const UNSENT: { readonly [code: string]: string } = {
  EAGAIN: 'the answer to ARP, or room on the wire, did not come in time',
  ENOBUFS: 'no room on the wire',
  EHOSTUNREACH: 'no route leads there through this interface',
  EMSGSIZE: 'larger than the interface takes',
  ENETDOWN: 'the interface is down',
  EPERM: 'a firewall on this machine forbids it',
  EINVAL: 'no address and port to send to',
};
