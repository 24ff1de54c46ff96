import { troubleOf } from '../errors.ts';
import type { EventSink, Happening } from '../model/event.ts';
import { formatIpv4, type Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import { nameOfOption } from '../model/options.ts';
import type { TroubleCode } from '../model/trouble.ts';
import { Seldom } from '../timeline/seldom.ts';
import { Tallies } from '../timeline/tallies.ts';
import { Tally } from '../timeline/tally.ts';
import { misplacedWords, unsentWords } from '../words/dhcp.ts';
import { refusedEvent } from './events.ts';
import type { Unread } from './exchange.ts';

/** A request through a relay that the site does not know. */
type Unserved = Extract<Unread, { readonly kind: 'unserved' }>;

export type ReportsOptions = {
  /** Must not throw. */
  readonly emit: EventSink;
  /** Whether the site lists a machine. */
  readonly isListed: (mac: Mac) => boolean;
};

/** What DHCP has to report, as events. What anybody on a wire can cause as often as they like is counted, and reported once a minute. */
export class Reports {
  readonly #emit: EventSink;
  readonly #isListed: (mac: Mac) => boolean;
  readonly #malformed: Tally;
  readonly #unsent: Tally;
  readonly #dropped: Tally;
  readonly #relays: Tallies<Unserved>;
  readonly #seldom = new Seldom();
  /** Addresses of leases that have no place in the site, as they were last reported. */
  #misplaced: ReadonlySet<Ipv4> = new Set();
  /** Options that were left out of replies, by network. */
  readonly #left = new Set<string>();

  constructor({ emit, isListed }: ReportsOptions) {
    this.#emit = emit;
    this.#isListed = isListed;
    const trouble = (code: TroubleCode, message: string): void => emit({ kind: 'server.trouble', code, message });
    this.#malformed = new Tally((count, sample) => emit({ kind: 'packets.malformed', service: 'dhcp', count, sample }));
    this.#unsent = new Tally((count, sample) => trouble('REPLY_UNSENT', `${count} DHCP replies not sent: ${sample}`));
    this.#dropped = new Tally((count, name) =>
      trouble(
        'REQUESTS_DROPPED',
        `${count} DHCP requests of machines that the site does not list dropped on ${name}: more come than can be answered`,
      ),
    );
    this.#relays = new Tallies((via, count, { mac, refusal }) =>
      emit({ ...refusedEvent({ mac, via: via ?? 'many relays' }, refusal), ...(count > 1 ? { count } : {}) }),
    );
  }

  /** An event of an exchange. */
  report(event: Happening): void {
    const isLet = event.kind !== 'dhcp.wrong-network' || this.#seldom.lets(`${event.mac} ${event.network}`);
    if (isLet) this.#emit(event);
  }

  /** A datagram that is not answered, whatever the site and the leases are. */
  unread(what: Unread): void {
    if (what.kind === 'malformed') this.#malformed.note(what.reason);
    else if (what.kind === 'unserved') this.#unserved(what);
  }

  /** Anybody can make up a relay with each packet. Nodes are not lost among them. */
  #unserved(what: Unserved): void {
    const { mac, via, refusal } = what;
    if (!this.#isListed(mac)) this.#relays.note(via, what);
    else if (this.#seldom.lets(`${mac} ${via}`)) this.#emit(refusedEvent({ mac, via }, refusal));
  }

  /** A reply was dropped, and why: `ENETDOWN`. */
  unsent(to: Ipv4, code: string): void {
    this.#unsent.note(`${formatIpv4(to)}: ${unsentWords(code)}`);
  }

  /** A request was dropped on the interface `name`, since more come than can be answered. */
  dropped(name: string): void {
    this.#dropped.note(name);
  }

  /** An option did not fit the `bytes` of a reply: once for each network and option. */
  optionLeft(mac: Mac, network: string, option: number, bytes: number): void {
    const key = `${network} ${option}`;
    if (this.#left.has(key)) return;
    this.#left.add(key);
    const name = nameOfOption(option);
    this.#emit({ kind: 'dhcp.option-left', mac, network, option, bytes, ...(name === undefined ? {} : { name }) });
  }

  /** Leases that have no place in the site: once for each. They stay in the state, and count again where the site has a place for them again. */
  misplaced({ nowhere, unlent }: { readonly nowhere: readonly Lease[]; readonly unlent: readonly Lease[] }): void {
    const all = [...nowhere, ...unlent];
    const isNew = all.some(({ ip }) => !this.#misplaced.has(ip));
    this.#misplaced = new Set(all.map(({ ip }) => ip));
    if (isNew)
      this.#emit({ kind: 'server.trouble', code: 'LEASES_MISPLACED', message: misplacedWords(nowhere, unlent) });
  }

  trouble(error: unknown): void {
    this.#emit({ kind: 'server.trouble', ...troubleOf(error) });
  }

  /** Reports what was counted. Nothing may be reported afterwards. */
  close(): void {
    this.#relays.close();
    this.#malformed.close();
    this.#unsent.close();
    this.#dropped.close();
  }
}
