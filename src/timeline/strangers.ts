import type { ClientStage, Event, Machine } from '../model/event.ts';
import type { GaugesOf } from '../model/gauges.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import { advance, type Boot } from './boots.ts';
import type { Timeline } from './timeline.ts';

/** A machine that the site does not list, as far as it was seen. Times are milliseconds since the epoch. */
export type Stranger = {
  readonly mac: Mac;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** How many requests it sent. */
  readonly count: number;
  /** How many messages of DHCP there were, by kind (`discover`, `offer`); `refused`: requests without an answer. Absent in records of earlier releases. */
  readonly messages?: Readonly<Record<string, number>>;
  /** The stage of its last request. */
  readonly stage?: ClientStage;
  /** Whether its firmware or iPXE ever asked. */
  readonly triedToBoot: boolean;
  /** What its requests say about it; a request of its firmware counts more than one of a system. */
  readonly machine: Machine;
  /** The classes of the site that its last request was in. */
  readonly classes?: readonly string[];
  /** Its newest attempt to boot, which it keeps when it becomes a node. */
  readonly boot?: Boot;
  readonly network?: string;
  /** The interface, or the relay's address, that its requests come through. */
  readonly via?: string;
  /** The address that it was last given. */
  readonly ip?: Ipv4;
  /** Why it was last given none. */
  readonly refusal?: string;
};

/** The changes since the last time: what has to be saved, and forgotten. */
export type StrangerChanges = { readonly changed: readonly Stranger[]; readonly forgotten: readonly Mac[] };

/** A machine that asks again after this time is real; made-up addresses do not come again. */
const SETTLES_MS = 2000;
/** As many that were seen once, and as many that came again: a flood of the former cannot displace the latter. */
const MOST_OF_EACH = 500;
/** Of an attempt to boot the first step is kept, and so many of the newest others. */
const MOST_STEPS = 30;
/** A text of a machine's request is cut here. */
const MOST_TEXT = 255;

/** The machines that the site does not list, kept current by `see`. */
export class Strangers {
  readonly #passing = new Map<Mac, Stranger>();
  readonly #settled = new Map<Mac, Stranger>();
  readonly #changed = new Set<Mac>();
  /** Those that the store has: one that comes and goes between two savings need not be forgotten there. */
  readonly #saved = new Set<Mac>();
  readonly #forgotten = new Set<Mac>();

  /** Begins with those that were `known` before. */
  constructor(known: readonly Stranger[] = []) {
    this.remember(known);
  }

  see(event: Event): void {
    const { mac } = event;
    if (mac === undefined || event.node !== undefined) return;
    const known = this.#of(mac);
    if (event.kind.startsWith('dhcp.')) this.#keep(after(known, mac, event));
    else if (known?.boot && isTransfer(event))
      this.#keep({ ...known, ...bootAfter(known.boot, event), lastSeen: event.at });
    else return;
    this.#changed.add(mac);
  }

  /** Newest first. */
  list(): readonly Stranger[] {
    return [...this.#passing.values(), ...this.#settled.values()].sort((a, b) => b.lastSeen - a.lastSeen);
  }

  gauges(): GaugesOf<'strangers'> {
    return { strangers: this.#passing.size + this.#settled.size };
  }

  /** What is to be saved next. It counts as saved unless it is given back. */
  takeChanges(): StrangerChanges {
    const rows = [...this.#changed].flatMap((mac) => this.#of(mac) ?? []);
    const changes = { changed: rows, forgotten: [...this.#forgotten] };
    for (const mac of this.#forgotten) this.#saved.delete(mac);
    for (const { mac } of rows) this.#saved.add(mac);
    this.#changed.clear();
    this.#forgotten.clear();
    return changes;
  }

  /** Takes back changes that could not be saved. */
  putBack(changes: StrangerChanges): void {
    for (const { mac } of changes.changed) if (this.#of(mac)) this.#changed.add(mac);
    for (const mac of changes.forgotten) {
      this.#saved.add(mac);
      if (!this.#of(mac)) this.#forgotten.add(mac);
    }
  }

  /** Takes in strangers that were known before and have not been seen since. */
  remember(known: readonly Stranger[]): void {
    const since = [...this.#settled.values(), ...this.#passing.values()];
    for (const { mac } of known) this.#saved.add(mac);
    for (const stranger of known.toSorted((a, b) => a.lastSeen - b.lastSeen)) {
      const seen = this.#of(stranger.mac);
      this.#keep(
        seen ? { ...stranger, ...seen, firstSeen: stranger.firstSeen, count: stranger.count + seen.count } : stranger,
      );
    }
    // The order of the maps is that of the last request.
    for (const { mac } of since) {
      const seen = this.#of(mac);
      if (seen) this.#keep(seen);
    }
  }

  #of(mac: Mac): Stranger | undefined {
    return this.#settled.get(mac) ?? this.#passing.get(mac);
  }

  #keep(stranger: Stranger): void {
    const { mac, firstSeen, lastSeen } = stranger;
    this.#passing.delete(mac);
    const isNew = !this.#settled.delete(mac);
    const into = !isNew || lastSeen - firstSeen >= SETTLES_MS ? this.#settled : this.#passing;
    into.set(mac, stranger);
    this.#forgotten.delete(mac);
    const [oldest] = into.size > MOST_OF_EACH ? into.keys() : [];
    if (oldest !== undefined) this.#drop(oldest);
  }

  #drop(mac: Mac): void {
    if (!this.#passing.delete(mac) && !this.#settled.delete(mac)) return;
    this.#changed.delete(mac);
    if (this.#saved.has(mac)) this.#forgotten.add(mac);
  }
}

function after(before: Stranger | undefined, mac: Mac, event: Event): Stranger {
  const asks = event.kind === 'dhcp.discover' || event.kind === 'dhcp.request' || event.kind === 'dhcp.inform';
  const stage = 'stage' in event ? event.stage : before?.stage;
  const boots = stage === 'firmware' || stage === 'ipxe';
  const described = 'machine' in event ? cut(event.machine ?? {}) : {};
  const kind = event.kind.slice('dhcp.'.length);
  const classes =
    'machine' in event && 'classes' in event ? event.classes : 'machine' in event ? undefined : before?.classes;
  const network = 'network' in event ? (event.network ?? before?.network) : before?.network;
  const via = 'via' in event ? (event.via ?? before?.via) : before?.via;
  const ip = event.kind === 'dhcp.ack' ? (event.ip ?? before?.ip) : before?.ip;
  const refusal =
    event.kind === 'dhcp.ack' ? undefined : event.kind === 'dhcp.refused' ? event.reason : before?.refusal;
  return {
    mac,
    firstSeen: before?.firstSeen ?? event.at,
    lastSeen: event.at,
    count: (before?.count ?? 0) + (asks ? 1 : 0),
    messages: { ...before?.messages, [kind]: (before?.messages?.[kind] ?? 0) + 1 },
    ...(stage === undefined ? {} : { stage }),
    triedToBoot: before?.triedToBoot === true || boots,
    machine: boots ? { ...before?.machine, ...described } : { ...described, ...before?.machine },
    ...(classes === undefined ? {} : { classes }),
    ...bootAfter(before?.boot, event),
    ...(network === undefined ? {} : { network }),
    ...(via === undefined ? {} : { via }),
    ...(ip === undefined ? {} : { ip }),
    ...(refusal === undefined ? {} : { refusal }),
  };
}

function isTransfer({ kind }: Event): boolean {
  return kind.startsWith('tftp.') || kind.startsWith('http.');
}

/** The attempt to boot after one more event: a stranger's may hold less than a node's. */
function bootAfter(before: Boot | undefined, event: Event): { readonly boot?: Boot } {
  const boot = advance(before, event);
  if (boot === undefined) return {};
  const [first, ...rest] = boot.steps;
  const steps = [...(first ? [first] : []), ...rest.slice(-MOST_STEPS)].map((step) => cut(step));
  return { boot: boot === before ? boot : { ...boot, steps } };
}

/**
 * Gives strangers that have become nodes their attempts to boot: a machine keeps its history from before it was a node. `nodeOf` names the node
 * that a MAC address belongs to.
 */
export function giveBoots(
  strangers: readonly Stranger[],
  timeline: Pick<Timeline, 'inherit'>,
  nodeOf: (mac: Mac) => string | undefined,
): void {
  for (const { mac, boot, lastSeen } of strangers) {
    const node = nodeOf(mac);
    if (boot && node !== undefined) timeline.inherit(node, [{ boot, seenAt: lastSeen }]);
  }
}

function cut<T extends Machine | Boot['steps'][number]>(machine: T): T {
  const fields = Object.entries(machine).map(([name, value]) => [
    name,
    typeof value === 'string'
      ? value.slice(0, MOST_TEXT).toWellFormed()
      : Array.isArray(value)
        ? value.slice(0, MOST_TEXT)
        : value,
  ]);
  return Object.fromEntries(fields) as T;
}
