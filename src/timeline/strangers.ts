import type { ClientStage, Event, Machine } from '../model/event.ts';
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
  /** The last stage it spoke at. */
  readonly stage?: ClientStage;
  /** Whether its firmware or iPXE ever asked. */
  readonly triedToBoot: boolean;
  /** What it told of itself; what its firmware told goes before what a system told. */
  readonly machine: Machine;
  /** The classes of the site that its last request was in. */
  readonly classes?: readonly string[];
  /** Its newest attempt to boot, which is its own when it becomes a node. */
  readonly boot?: Boot;
  readonly network?: string;
  /** The interface, or the relay's address, that its requests come through. */
  readonly via?: string;
  /** The address that it was last given. */
  readonly ip?: Ipv4;
  /** Why it was last given none. */
  readonly refusal?: string;
};

/** What has to be saved, and forgotten, since the last time it was asked for. */
export type StrangerChanges = { readonly changed: readonly Stranger[]; readonly forgotten: readonly Mac[] };

/** The machines that the site does not list, kept current by `see`. */
export type Strangers = {
  see(event: Event): void;
  /** Newest first. */
  list(): readonly Stranger[];
  /** What is to be saved next. It counts as saved unless it is given back. */
  takeChanges(): StrangerChanges;
  /** Takes back changes that could not be saved. */
  putBack(changes: StrangerChanges): void;
  /** Takes in strangers that were known before and have not been seen since. */
  remember(known: readonly Stranger[]): void;
};

/** A machine that asks again after this time is there to stay, as made-up addresses are not. */
const SETTLES_MS = 2000;
/** As many that were seen once, and as many that came again: a flood of the former cannot push the latter out. */
const MOST_OF_EACH = 500;
/** Of an attempt to boot the first step is kept, and so many of the newest others. */
const MOST_STEPS = 30;
/** A text that a machine tells of itself is cut here. */
const MOST_TEXT = 255;

/** Strangers, beginning with those that were `known` before. */
export function createStrangers(known: readonly Stranger[] = []): Strangers {
  const passing = new Map<Mac, Stranger>();
  const settled = new Map<Mac, Stranger>();
  const changed = new Set<Mac>();
  /** Those that the store has: whoever comes and goes between two savings need not be forgotten there. */
  const saved = new Set<Mac>();
  const forgotten = new Set<Mac>();

  const drop = (mac: Mac): void => {
    if (!passing.delete(mac) && !settled.delete(mac)) return;
    changed.delete(mac);
    if (saved.has(mac)) forgotten.add(mac);
  };
  const keep = (stranger: Stranger): void => {
    const { mac, firstSeen, lastSeen } = stranger;
    passing.delete(mac);
    const isNew = !settled.delete(mac);
    const into = !isNew || lastSeen - firstSeen >= SETTLES_MS ? settled : passing;
    into.set(mac, stranger);
    forgotten.delete(mac);
    const [oldest] = into.size > MOST_OF_EACH ? into.keys() : [];
    if (oldest !== undefined) drop(oldest);
  };
  const remember = (before: readonly Stranger[]): void => {
    const since = [...settled.values(), ...passing.values()];
    for (const { mac } of before) saved.add(mac);
    for (const stranger of before.toSorted((a, b) => a.lastSeen - b.lastSeen)) {
      const seen = settled.get(stranger.mac) ?? passing.get(stranger.mac);
      keep(
        seen ? { ...stranger, ...seen, firstSeen: stranger.firstSeen, count: stranger.count + seen.count } : stranger,
      );
    }
    // The order of the maps is that of the last request.
    for (const { mac } of since) {
      const seen = settled.get(mac) ?? passing.get(mac);
      if (seen) keep(seen);
    }
  };
  remember(known);

  return {
    remember,
    see(event) {
      const { mac } = event;
      if (mac === undefined || event.node !== undefined) return;
      const known = settled.get(mac) ?? passing.get(mac);
      if (event.kind.startsWith('dhcp.')) keep(after(known, mac, event));
      else if (known?.boot && isTransfer(event))
        keep({ ...known, ...bootAfter(known.boot, event), lastSeen: event.at });
      else return;
      changed.add(mac);
    },
    list: () => [...passing.values(), ...settled.values()].sort((a, b) => b.lastSeen - a.lastSeen),
    takeChanges() {
      const rows = [...changed].flatMap((mac) => settled.get(mac) ?? passing.get(mac) ?? []);
      const changes = { changed: rows, forgotten: [...forgotten] };
      for (const mac of forgotten) saved.delete(mac);
      for (const { mac } of rows) saved.add(mac);
      changed.clear();
      forgotten.clear();
      return changes;
    },
    putBack(changes) {
      for (const { mac } of changes.changed) if (settled.has(mac) || passing.has(mac)) changed.add(mac);
      for (const mac of changes.forgotten) {
        saved.add(mac);
        if (!settled.has(mac) && !passing.has(mac)) forgotten.add(mac);
      }
    },
  };
}

function after(before: Stranger | undefined, mac: Mac, event: Event): Stranger {
  const asks = event.kind === 'dhcp.discover' || event.kind === 'dhcp.request' || event.kind === 'dhcp.inform';
  const stage = 'stage' in event ? event.stage : before?.stage;
  const boots = stage === 'firmware' || stage === 'ipxe';
  const told = 'machine' in event ? cut(event.machine ?? {}) : {};
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
    machine: boots ? { ...before?.machine, ...told } : { ...told, ...before?.machine },
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
 * Gives strangers that have become nodes their attempts to boot: what a machine did before it was a node is its own. `nodeOf` names the node
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
