import type { Event, Happening } from '../model/event.ts';
import { formatIpv4 } from '../model/ipv4.ts';

/**
 * Kinds of events that are counted apart, so that a flood of one leaves room for the others. `traffic`: messages and transfers;
 * `refusals`: why an answer or a transfer was refused; `steps`: what the agent does; `failures`: what failed on the node, and how
 * its cloud and a roll see it; `server`: events of the server itself; `changes`: changes by way of the API, with their requester.
 */
export type EventClass = 'traffic' | 'refusals' | 'steps' | 'failures' | 'server' | 'changes';

/** How much may come: so much at once, and so much in each second after that. Bytes are those of the event as JSON. */
export type Allowance = {
  readonly events: number;
  readonly eventsPerSecond: number;
  readonly bytes: number;
  readonly bytesPerSecond: number;
};

/** `each`: of one subject; `all`: of all subjects together, nodes and others apart. */
export type EventLimits = {
  readonly [Class in EventClass]: { readonly each: Allowance; readonly all: Allowance };
};

const KB = 1024;
const MB = 1024 * KB;

/**
 * A boot causes some 150 events of 200 bytes, and its node may try again every few minutes. A thousand nodes may boot at once, as may
 * a thousand machines that the site does not list.
 */
export const EVENT_LIMITS: EventLimits = {
  traffic: {
    each: { events: 400, eventsPerSecond: 2, bytes: 256 * KB, bytesPerSecond: KB },
    all: { events: 50_000, eventsPerSecond: 500, bytes: 16 * MB, bytesPerSecond: 256 * KB },
  },
  refusals: {
    each: { events: 100, eventsPerSecond: 0.5, bytes: 64 * KB, bytesPerSecond: KB / 4 },
    all: { events: 5000, eventsPerSecond: 50, bytes: 2 * MB, bytesPerSecond: 32 * KB },
  },
  steps: {
    each: { events: 400, eventsPerSecond: 2, bytes: 256 * KB, bytesPerSecond: KB },
    all: { events: 50_000, eventsPerSecond: 500, bytes: 16 * MB, bytesPerSecond: 256 * KB },
  },
  failures: {
    each: { events: 100, eventsPerSecond: 0.5, bytes: 256 * KB, bytesPerSecond: KB },
    all: { events: 5000, eventsPerSecond: 50, bytes: 8 * MB, bytesPerSecond: 64 * KB },
  },
  server: {
    each: { events: 1000, eventsPerSecond: 5, bytes: 2 * MB, bytesPerSecond: 8 * KB },
    all: { events: 1000, eventsPerSecond: 5, bytes: 2 * MB, bytesPerSecond: 8 * KB },
  },
  // Only who has a token that may change things causes these, as often as the API lets it.
  changes: {
    each: { events: 5000, eventsPerSecond: 50, bytes: 8 * MB, bytesPerSecond: 128 * KB },
    all: { events: 5000, eventsPerSecond: 50, bytes: 8 * MB, bytesPerSecond: 128 * KB },
  },
};

const CLASSES = [
  'traffic',
  'refusals',
  'steps',
  'failures',
  'server',
  'changes',
] as const satisfies readonly EventClass[];

/** Subjects that are remembered, at most; those that were quiet for long are forgotten first. */
const MOST_SUBJECTS = 4096;
/** A subject is reported at most once in this time, milliseconds. */
const TELL_EVERY_MS = 60_000;
/** Subjects that are reported in that time; the others wait. */
const MOST_REPORTED = 32;
/** The subject of those that were forgotten before they could be reported. */
const OTHERS = '*';

/**
 * Decides which events are kept, by subject (the node, else the MAC, else the address) and in all, each class by number and by
 * bytes. What exceeds that is counted and reported as `events.limited`. Times are milliseconds of a clock that never goes back.
 * Its memory is bounded for any senders.
 */
export class EventBudget {
  readonly #limits: EventLimits;
  readonly #full: { readonly [Scope in 'each' | 'all']: Float64Array };
  readonly #nodes: Side;
  readonly #others: Side;
  /** Subjects with events that are not reported yet. */
  readonly #limited = new Set<Subject>();
  readonly #forgotten: Subject;
  #window = Number.NEGATIVE_INFINITY;
  #reported = 0;

  constructor(now: number, limits: EventLimits = EVENT_LIMITS) {
    this.#limits = limits;
    this.#full = { each: fullOf(limits, 'each'), all: fullOf(limits, 'all') };
    this.#nodes = { all: this.#fresh('', 'all', now), recent: new Map(), earlier: new Map() };
    this.#others = { all: this.#fresh('', 'all', now), recent: new Map(), earlier: new Map() };
    this.#forgotten = this.#fresh(OTHERS, 'each', now);
  }

  /** Whether an event is kept; one that is not is counted. */
  admit(event: Event, now: number): boolean {
    if (event.kind === 'events.limited') return true;
    const which = CLASSES.indexOf(classOf(event));
    const side = event.node === undefined ? this.#others : this.#nodes;
    const subject = this.#subjectOf(side, event, now);
    this.#refill(subject, 'each', now);
    this.#refill(side.all, 'all', now);
    // An event that exceeds the number is not measured: a flood takes little time.
    if (hasRoom(subject, which, 0) && hasRoom(side.all, which, 0)) {
      const bytes = Buffer.byteLength(JSON.stringify(event));
      if (hasRoom(subject, which, bytes) && hasRoom(side.all, which, bytes)) {
        take(subject, which, bytes);
        take(side.all, which, bytes);
        return true;
      }
    }
    subject.refused++;
    this.#limited.add(subject);
    return false;
  }

  /** The reports that are due about events that were not kept: each subject at once and then once a minute, a bounded number. */
  takeLimited(now: number): Happening[] {
    if (now - this.#window >= TELL_EVERY_MS) {
      this.#window = now;
      this.#reported = 0;
    }
    const happenings: Happening[] = [];
    for (const subject of this.#limited) {
      if (this.#reported >= MOST_REPORTED) break;
      if (now - subject.reportedAt < TELL_EVERY_MS) continue;
      happenings.push({
        kind: 'events.limited',
        subject: subject.name,
        count: subject.refused,
        ...(subject.node === undefined ? {} : { node: subject.node }),
      });
      subject.refused = 0;
      subject.reportedAt = now;
      this.#limited.delete(subject);
      this.#reported++;
    }
    return happenings;
  }

  #subjectOf(side: Side, event: Event, now: number): Subject {
    const name = subjectOf(event);
    const recent = side.recent.get(name);
    if (recent) return recent;
    const subject = side.earlier.get(name) ?? this.#fresh(name, 'each', now, event.node);
    side.earlier.delete(name);
    if (side.recent.size >= MOST_SUBJECTS / 2) this.#age(side);
    side.recent.set(name, subject);
    return subject;
  }

  /** Forgets the subjects that caused no event since the last time. */
  #age(side: Side): void {
    for (const subject of side.earlier.values()) {
      if (!this.#limited.delete(subject)) continue;
      this.#forgotten.refused += subject.refused;
      this.#limited.add(this.#forgotten);
    }
    side.earlier = side.recent;
    side.recent = new Map();
  }

  #fresh(name: string, scope: 'each' | 'all', at: number, node?: string): Subject {
    return { name, node, left: this.#full[scope].slice(), at, refused: 0, reportedAt: Number.NEGATIVE_INFINITY };
  }

  #refill(subject: Subject, scope: 'each' | 'all', now: number): void {
    const seconds = (now - subject.at) / 1000;
    if (seconds <= 0) return;
    subject.at = now;
    for (const [index, one] of CLASSES.entries()) {
      const { events, eventsPerSecond, bytes, bytesPerSecond } = this.#limits[one][scope];
      subject.left[2 * index] = Math.min(events, left(subject, 2 * index) + seconds * eventsPerSecond);
      subject.left[2 * index + 1] = Math.min(bytes, left(subject, 2 * index + 1) + seconds * bytesPerSecond);
    }
  }
}

/** Subjects in two generations: a map that is reordered at each event would take more time than all else. */
type Side = { readonly all: Subject; recent: Map<string, Subject>; earlier: Map<string, Subject> };

/** `left`: for each class the events and the bytes that may come now. */
type Subject = {
  readonly name: string;
  readonly node: string | undefined;
  readonly left: Float64Array;
  at: number;
  refused: number;
  reportedAt: number;
};

function fullOf(limits: EventLimits, scope: 'each' | 'all'): Float64Array {
  return Float64Array.from(CLASSES.flatMap((one) => [limits[one][scope].events, limits[one][scope].bytes]));
}

const left = (subject: Subject, index: number): number => subject.left[index] ?? 0;

function hasRoom(subject: Subject, which: number, bytes: number): boolean {
  return left(subject, 2 * which) >= 1 && left(subject, 2 * which + 1) >= bytes;
}

function take(subject: Subject, which: number, bytes: number): void {
  subject.left[2 * which] = left(subject, 2 * which) - 1;
  subject.left[2 * which + 1] = left(subject, 2 * which + 1) - bytes;
}

/** Whose event it is: the node's name, else the MAC, else the address; the server's own have none. */
export function subjectOf({ node, mac, ip }: Event): string {
  return node ?? mac ?? (ip === undefined ? '' : formatIpv4(ip));
}

/** The class by which an event is counted. */
export function classOf(event: Event): EventClass {
  switch (event.kind) {
    case 'dhcp.nak':
    case 'dhcp.refused':
    case 'dhcp.other-server':
    case 'dhcp.option-left':
    case 'dhcp.wrong-network':
    case 'tftp.failed':
    case 'http.failed':
      return 'refusals';
    case 'node.step':
      return event.status === 'failed' ? 'failures' : 'steps';
    case 'node.clock':
      return 'steps';
    case 'cloud.standing':
    case 'roll.step':
      return 'failures';
    case 'network.lost':
    case 'network.heard':
    case 'packets.malformed':
    case 'site.loaded':
    case 'site.rejected':
    case 'image.changed':
    case 'server.started':
    case 'server.api':
    case 'server.fault':
    case 'server.restarted':
    case 'server.clock':
    case 'server.trouble':
    case 'events.limited':
      return 'server';
    case 'audit.change':
      return 'changes';
    case 'audit.refused':
      return 'refusals';
    default:
      return 'traffic';
  }
}
