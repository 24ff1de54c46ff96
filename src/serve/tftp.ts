import { setImmediate } from 'node:timers/promises';
import type { FaultSink } from '../faults.ts';
import { inTurn } from '../inTurn.ts';
import type { EventSink } from '../model/event.ts';
import type { Gauges } from '../model/gauges.ts';
import type { Identities } from '../node/identity.ts';
import type { Rolls } from '../roll/run.ts';
import type { Running } from '../service.ts';
import type { Site } from '../site/site.ts';
import { wireChanges } from '../site/wireSite.ts';
import { ServiceThread } from '../threads/serviceThread.ts';
import type { Endpoints } from './endpoints.ts';
import { MachineIdsAhead } from './machineIds.ts';
import { SiteFeed } from './siteFeed.ts';
import type { Holder, TftpShape } from './tftpShape.ts';

export type TftpServiceOptions = {
  readonly stateFolder: string;
  readonly site: () => Site;
  readonly endpoints: () => Endpoints;
  readonly descriptors: number;
  readonly rolls: Pick<Rolls, 'pins' | 'onPins'>;
  readonly identities: Pick<Identities, 'machineIdOf'>;
  /** The addresses that are held now. */
  readonly holders: () => readonly Holder[];
  readonly events: EventSink;
  readonly faulted: FaultSink;
  readonly broken: FaultSink;
};

/** TFTP, which runs in a thread of its own, as the main thread sees it. */
export class TftpService implements Running {
  readonly #options: TftpServiceOptions;
  readonly #thread: ServiceThread<TftpShape>;
  readonly #inOrder = inTurn();
  readonly #ids: MachineIdsAhead;
  readonly #leavePins: () => void;
  readonly #feed: SiteFeed;
  /** Of this turn of the event loop. */
  #holders: Holder[] = [];

  /** Rejects as `startTftpServer` does. */
  static async start(options: TftpServiceOptions): Promise<TftpService> {
    const { stateFolder, site, endpoints, descriptors, rolls, holders, events, faulted, broken } = options;
    const sent = site();
    const thread = await ServiceThread.start<TftpShape>({
      name: 'tftp',
      module: new URL('./tftpThread.ts', import.meta.url),
      start: {
        ...endpoints(),
        stateFolder,
        site: [...wireChanges(undefined, sent)],
        descriptors,
        pins: new Map(rolls.pins),
        holders: holders(),
      },
      events,
      faulted,
      broken,
    });
    return new TftpService(options, thread, sent);
  }

  private constructor(options: TftpServiceOptions, thread: ServiceThread<TftpShape>, sent: Site) {
    this.#options = options;
    this.#thread = thread;
    this.#feed = new SiteFeed(sent);
    const sendPins = () => thread.send({ kind: 'pins', pins: new Map(options.rolls.pins) });
    this.#leavePins = options.rolls.onPins(sendPins);
    // What changed while the thread started.
    sendPins();
    this.#ids = new MachineIdsAhead(options.identities, (ids) => thread.send({ kind: 'machine-ids', ids }));
    this.#ids.follow(sent.nodes);
  }

  reload(): Promise<void> {
    return this.#inOrder(async () => {
      const { site, endpoints } = this.#options;
      const next = site();
      await this.#feed.follow(next, (change) => this.#thread.send({ kind: 'site', change }));
      this.#ids.follow(next.nodes);
      await this.#thread.ask('reload', endpoints());
    });
  }

  /** An address has a holder from now on, or none any more. */
  held(holder: Holder): void {
    if (this.#holders.push(holder) > 1) return;
    void setImmediate().then(() => {
      this.#thread.send({ kind: 'holders', holders: this.#holders });
      this.#holders = [];
    });
  }

  gauges(): Gauges {
    return this.#thread.gauges;
  }

  async close(): Promise<void> {
    this.#leavePins();
    this.#ids.close();
    await this.#thread.close();
  }
}
