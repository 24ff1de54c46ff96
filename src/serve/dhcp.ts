import type { MessagePort } from 'node:worker_threads';
import { addressOf, holderOf, LeaseCopy } from '../dhcp/holders.ts';
import type { DhcpServer } from '../dhcp/server.ts';
import type { FaultSink } from '../faults.ts';
import { inTurn } from '../inTurn.ts';
import type { EventSink } from '../model/event.ts';
import type { Gauges } from '../model/gauges.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import type { Site } from '../site/site.ts';
import { wireChanges } from '../site/wireSite.ts';
import type { PatientStore } from '../state/store.ts';
import { ServiceThread } from '../threads/serviceThread.ts';
import type { DhcpShape } from './dhcpShape.ts';
import type { Endpoints } from './endpoints.ts';
import { SiteFeed } from './siteFeed.ts';

export type DhcpServiceOptions = {
  readonly stateFolder: string;
  readonly site: () => Site;
  readonly endpoints: () => Endpoints;
  readonly database: PatientStore['database'];
  readonly events: EventSink;
  readonly faulted: FaultSink;
  readonly broken: FaultSink;
};

/** DHCP, which runs in a thread of its own, as the main thread sees it: what it knows of leases is a moment behind. */
export class DhcpService implements DhcpServer {
  readonly #options: DhcpServiceOptions;
  readonly #leases: LeaseCopy;
  readonly #thread: ServiceThread<DhcpShape>;
  readonly #giveBack: () => void;
  readonly #inOrder = inTurn();
  readonly #feed: SiteFeed;

  /** Rejects as `startDhcpServer` does. */
  static async start(options: DhcpServiceOptions): Promise<DhcpService> {
    const { stateFolder, site, endpoints, database, events, faulted, broken } = options;
    const leases = new LeaseCopy();
    let port: MessagePort | undefined;
    let thread: ServiceThread<DhcpShape> | undefined;
    const giveBack = database.lend((next) => {
      if (thread) thread.send({ kind: 'database', port: next }, [next]);
      else port = next;
    });
    const sent = site();
    try {
      const starting = ServiceThread.start<DhcpShape>({
        name: 'dhcp',
        module: new URL('./dhcpThread.ts', import.meta.url),
        start: {
          ...endpoints(),
          stateFolder,
          site: [...wireChanges(undefined, sent)],
          ...(port === undefined ? {} : { database: port }),
        },
        transfer: port === undefined ? [] : [port],
        events,
        faulted,
        broken,
        received: (message) => {
          if (message.kind === 'leases') leases.take(message.changes);
          else if (message.kind === 'damaged') events({ kind: 'server.trouble', ...message.damage });
          else database.lookAfter();
        },
      });
      port = undefined;
      thread = await starting;
      if (port) thread.send({ kind: 'database', port }, [port]);
      return new DhcpService(options, leases, thread, giveBack, sent);
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  private constructor(
    options: DhcpServiceOptions,
    leases: LeaseCopy,
    thread: ServiceThread<DhcpShape>,
    giveBack: () => void,
    sent: Site,
  ) {
    this.#options = options;
    this.#leases = leases;
    this.#thread = thread;
    this.#giveBack = giveBack;
    this.#feed = new SiteFeed(sent);
  }

  reload(): Promise<void> {
    return this.#inOrder(async () => {
      const { site, endpoints } = this.#options;
      await this.#feed.follow(site(), (change) => this.#thread.send({ kind: 'site', change }));
      await this.#thread.ask('reload', endpoints());
    });
  }

  gauges(): Gauges {
    return this.#thread.gauges;
  }

  async close(): Promise<void> {
    await this.#thread.close();
    this.#giveBack();
  }

  addressOf(mac: Mac, network: string | undefined): Ipv4 | undefined {
    return addressOf(mac, network, { leases: this.#leases, site: this.#options.site(), now: Date.now() });
  }

  holderOf(ip: Ipv4): Mac | undefined {
    return holderOf(ip, { leases: this.#leases, site: this.#options.site(), now: Date.now() });
  }

  leases(): readonly Lease[] {
    return this.#leases.leases();
  }

  release(ip: Ipv4): Promise<Lease> {
    return this.#thread.ask('release', ip);
  }
}
