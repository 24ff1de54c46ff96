import type { Event } from '../model/event.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import type { Applied } from '../node/news.ts';
import type { SignedKey } from '../node/openssl.ts';
import type { AppliedAt } from '../node/standing.ts';
import type { Roll } from '../roll/record.ts';
import type { Stranger } from '../timeline/strangers.ts';
import type { SeenBoot } from '../timeline/timeline.ts';
import { unavailable } from './failure.ts';
import type { Inventory, Store } from './store.ts';

/** What a fake store holds at first. */
export type Contents = {
  readonly leases?: readonly Lease[];
  readonly events?: readonly Event[];
  readonly inventories?: ReadonlyMap<Mac, Inventory>;
  readonly applied?: ReadonlyMap<string, AppliedAt>;
};

/** A store in memory that starts with `contents` and otherwise keeps the whole contract but lasting. */
export function fixedStore(contents: Contents): Store {
  const leases = new Map<Ipv4, Lease>((contents.leases ?? []).map((lease) => [lease.ip, lease]));
  const inventories = new Map(contents.inventories ?? []);
  const strangers = new Map<Mac, Stranger>();
  const identities = new Map<string, Map<string, string>>();
  const certificates = new Map<string, SignedKey>();
  const boots = new Map<string, SeenBoot>();
  const applied = new Map(contents.applied ?? []);
  const rolls = new Map<string, Roll>();
  const pins = new Map<string, string>();
  const tokens = new Map<string, string>();
  const events = [...(contents.events ?? [])];
  let closed = false;

  const whileOpen = async <T>(work: () => T): Promise<T> => {
    if (closed) throw unavailable({ message: 'the store has been closed', hint: '' });
    return work();
  };

  const keep = (lease: Lease): void => {
    leases.set(lease.ip, lease);
    if (lease.state !== 'bound') return;
    for (const other of [...leases.values()]) if (isOlderLease(other, lease)) leases.delete(other.ip);
  };

  return {
    load: () => whileOpen(() => [...leases.values()]),
    commit: (given) => whileOpen(() => given.forEach(keep)),
    saveEvents: (given) =>
      whileOpen(() => {
        events.push(...given.map((event) => JSON.parse(JSON.stringify(event)) as Event));
      }),
    events: ({ nodes, mac, since, limit, bytes = Number.POSITIVE_INFINITY }) =>
      whileOpen(() => {
        const fitting = events.filter(
          (event) =>
            (nodes === undefined || (event.node !== undefined && nodes.includes(event.node))) &&
            (mac === undefined || event.mac === mac) &&
            (since === undefined || event.at >= since),
        );
        let left = bytes;
        const newest = fitting.slice(Math.max(0, fitting.length - limit)).reverse();
        const tooMuch = newest.findIndex((event) => {
          left -= Buffer.byteLength(JSON.stringify(event));
          return left < 0;
        });
        return (tooMuch < 0 ? newest : newest.slice(0, tooMuch)).reverse();
      }),
    saveInventory: (mac, at, inventory) =>
      whileOpen(() => {
        inventories.set(mac, { at, inventory: JSON.parse(JSON.stringify(inventory ?? null)) });
      }),
    inventories: () => whileOpen(() => new Map(inventories)),
    identityOf: (node) => whileOpen(() => new Map(identities.get(node))),
    keepIdentity: (node, parts) =>
      whileOpen(() => {
        const own = identities.get(node) ?? new Map<string, string>();
        identities.set(node, own);
        for (const [kind, value] of parts) {
          const taken = [...identities.values()].some((other) => other.get(kind) === value);
          if (!own.has(kind) && !taken) own.set(kind, value);
        }
        return new Map(own);
      }),
    certificateOf: (name) => whileOpen(() => certificates.get(name)),
    keepCertificate: (name, next, before) =>
      whileOpen(() => {
        const has = certificates.get(name);
        if (has !== undefined && has.certificate !== before?.certificate) return has;
        certificates.set(name, { ...next });
        return next;
      }),
    saveStrangers: (changed, forgotten) =>
      whileOpen(() => {
        for (const mac of forgotten) strangers.delete(mac);
        for (const stranger of changed) strangers.set(stranger.mac, JSON.parse(JSON.stringify(stranger)));
      }),
    strangers: () => whileOpen(() => [...strangers.values()]),
    saveBoots: (changed) =>
      whileOpen(() => {
        for (const [node, seen] of changed) boots.set(node, JSON.parse(JSON.stringify(seen)) as SeenBoot);
      }),
    boots: () => whileOpen(() => new Map(boots)),
    saveApplied: (node, at, told) =>
      whileOpen(() => {
        applied.set(node, { ...(JSON.parse(JSON.stringify(told)) as Applied), at });
      }),
    applied: () => whileOpen(() => new Map(applied)),
    forgetApplied: (nodes) => whileOpen(() => nodes.forEach((node) => void applied.delete(node))),
    saveRoll: (roll, changes, forgotten) =>
      whileOpen(() => {
        rolls.set(roll.id, JSON.parse(JSON.stringify(roll)) as Roll);
        for (const id of forgotten) rolls.delete(id);
        for (const [node, image] of changes) {
          if (image === null) pins.delete(node);
          else pins.set(node, image);
        }
      }),
    rolls: () => whileOpen(() => oldestFirst(rolls)),
    pins: () => whileOpen(() => new Map(pins)),
    tokens: () => whileOpen(() => new Map(tokens)),
    saveTokens: (changed) =>
      whileOpen(() => {
        for (const [node, body] of changed) {
          if (body === null) tokens.delete(node);
          else tokens.set(node, body);
        }
      }),
    close: async () => {
      closed = true;
    },
  };
}

/** A store in memory with nothing in it. */
export function emptyStore(): Store {
  return fixedStore({});
}

/** A store whose disk is full for good: every call but `close` rejects with STATE_UNAVAILABLE. */
export function brokenStore(): Store {
  const refuse = async (): Promise<never> => {
    throw unavailable({ message: 'the disk is full', hint: 'make room; the server goes on by itself' });
  };
  return {
    load: refuse,
    commit: refuse,
    saveEvents: refuse,
    events: refuse,
    saveInventory: refuse,
    inventories: refuse,
    identityOf: refuse,
    keepIdentity: refuse,
    certificateOf: refuse,
    keepCertificate: refuse,
    saveStrangers: refuse,
    strangers: refuse,
    saveBoots: refuse,
    boots: refuse,
    saveApplied: refuse,
    applied: refuse,
    forgetApplied: refuse,
    saveRoll: refuse,
    rolls: refuse,
    pins: refuse,
    tokens: refuse,
    saveTokens: refuse,
    close: async () => {},
  };
}

function isOlderLease(other: Lease, { ip, mac, network }: Lease): boolean {
  return other.ip !== ip && other.mac === mac && other.network === network && other.state !== 'declined';
}

function oldestFirst(rolls: ReadonlyMap<string, Roll>): Roll[] {
  return [...rolls.values()].sort((a, b) => a.begunAt - b.begunAt || (a.id < b.id ? -1 : 1));
}
