import type { ApiToken } from '../../access/apiToken.ts';
import type { ApiTokenStore } from '../../access/apiTokenStore.ts';
import { isDisputed, type LeaseStore } from '../../dhcp/leaseStore.ts';
import type { Event } from '../../model/event.ts';
import type { Ipv4 } from '../../model/ipv4.ts';
import type { Lease } from '../../model/lease.ts';
import type { Mac } from '../../model/mac.ts';
import type { AppliedStore } from '../../node/appliedStore.ts';
import type { CertificateStore } from '../../node/certificateStore.ts';
import type { IdentityStore } from '../../node/identityStore.ts';
import type { InventoryStore, KeptInventory } from '../../node/inventoryStore.ts';
import type { SignedKey } from '../../node/openssl.ts';
import type { AppliedAt } from '../../node/standing.ts';
import type { TokenStore } from '../../node/tokenStore.ts';
import type { PinChanges, Roll } from '../../roll/record.ts';
import type { RollStore } from '../../roll/rollStore.ts';
import type { BootStore, SeenBoot } from '../../timeline/bootStore.ts';
import { isOfKinds } from '../../timeline/eventKinds.ts';
import type { EventStore, StoredEvent } from '../../timeline/eventStore.ts';
import type { StrangerStore } from '../../timeline/strangerStore.ts';
import type { Stranger } from '../../timeline/strangers.ts';
import { unavailable } from '../failure.ts';
import type { Store } from '../store.ts';

/** What a fake store holds at first. */
export type Contents = {
  readonly leases?: readonly Lease[];
  readonly events?: readonly Event[];
  readonly inventories?: ReadonlyMap<Mac, KeptInventory>;
  readonly applied?: ReadonlyMap<string, AppliedAt>;
};

/** Does the work of a call, unless the store has been closed. */
export type Call = <T>(work: () => T) => Promise<T>;

/** A store in memory that starts with `contents` and otherwise keeps the whole contract of each port but lasting. */
export function fixedStore(contents: Contents): Store {
  let closed = false;
  const call: Call = async (work) => {
    if (closed) throw unavailable({ message: 'the store has been closed', hint: '' });
    return work();
  };
  return {
    leases: leasesInMemory(new Map((contents.leases ?? []).map((lease) => [lease.ip, lease])), call),
    events: eventsInMemory(call, contents.events ?? []),
    boots: bootsInMemory(call),
    strangers: strangersInMemory(call),
    identities: identitiesInMemory(call),
    certificates: certificatesInMemory(call),
    inventories: inventoriesInMemory(call, contents.inventories ?? new Map()),
    applied: appliedInMemory(call, contents.applied ?? new Map()),
    tokens: tokensInMemory(call),
    apiTokens: apiTokensInMemory(call),
    rolls: rollsInMemory({ rolls: new Map(), pins: new Map() }, call),
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
    leases: { load: refuse, commit: refuse },
    events: { save: refuse, read: refuse, lastId: refuse },
    boots: { save: refuse, read: refuse },
    strangers: { save: refuse, read: refuse },
    identities: { read: refuse, keep: refuse },
    certificates: { read: refuse, keep: refuse },
    inventories: { save: refuse, read: refuse },
    applied: { save: refuse, read: refuse, forget: refuse },
    tokens: { read: refuse, save: refuse },
    apiTokens: { read: refuse, add: refuse, remove: refuse },
    rolls: { save: refuse, rolls: refuse, pins: refuse },
    close: async () => {},
  };
}

/** What comes back of a value that was written down. */
const written = <T>(value: T): T => JSON.parse(JSON.stringify(value));

/** One server's view of a table of leases in memory, which several may share. */
export function leasesInMemory(leases: Map<Ipv4, Lease>, call: Call = async (work) => work()): LeaseStore {
  const known = new Map<Ipv4, Lease>();
  const record = (lease: Lease): readonly Lease[] => {
    const stands = leases.get(lease.ip);
    if (stands && isDisputed(stands, lease, known.get(lease.ip))) {
      known.set(lease.ip, stands);
      return [stands];
    }
    leases.set(lease.ip, lease);
    known.set(lease.ip, lease);
    if (lease.state !== 'bound') return [];
    for (const other of [...leases.values()]) if (isOlderLease(other, lease)) leases.delete(other.ip);
    return [];
  };
  return {
    load: () =>
      call(() => {
        for (const lease of leases.values()) known.set(lease.ip, lease);
        return [...leases.values()];
      }),
    commit: (given) => call(() => given.flatMap(record)),
  };
}

function isOlderLease(other: Lease, { ip, mac, network }: Lease): boolean {
  return other.ip !== ip && other.mac === mac && other.network === network && other.state !== 'declined';
}

function eventsInMemory(call: Call, first: readonly Event[]): EventStore {
  const events: StoredEvent[] = [];
  const save = (given: readonly Event[]): void => {
    for (const { id, ...event } of given) {
      const next = (events.at(-1)?.id ?? 0) + 1;
      events.push({ id: Math.max(id ?? 0, next), event: written(event) });
    }
  };
  save(first);
  return {
    save: (given) => call(() => save(given)),
    read: ({ nodes, mac, kinds, since, after, limit, bytes = Number.POSITIVE_INFINITY }) =>
      call(() => {
        const fitting = events.filter(
          ({ id, event }) =>
            (nodes === undefined || (event.node !== undefined && nodes.includes(event.node))) &&
            (mac === undefined || event.mac === mac) &&
            (kinds === undefined || isOfKinds(event.kind, kinds)) &&
            (since === undefined || event.at >= since) &&
            (after === undefined || id > after),
        );
        if (after === undefined) fitting.reverse();
        let left = bytes;
        const some = fitting.slice(0, limit);
        const tooMuch = some.findIndex(({ event }) => {
          left -= Buffer.byteLength(JSON.stringify(event));
          return left < 0;
        });
        const found = tooMuch < 0 ? some : some.slice(0, tooMuch);
        return after === undefined ? found.reverse() : found;
      }),
    lastId: () => call(() => events.at(-1)?.id),
  };
}

function bootsInMemory(call: Call): BootStore {
  const boots = new Map<string, SeenBoot>();
  return {
    save: (changed) =>
      call(() => {
        for (const [node, seen] of changed) boots.set(node, written(seen));
      }),
    read: () => call(() => new Map(boots)),
  };
}

function strangersInMemory(call: Call): StrangerStore {
  const strangers = new Map<Mac, Stranger>();
  return {
    save: (changed, forgotten) =>
      call(() => {
        for (const mac of forgotten) strangers.delete(mac);
        for (const stranger of changed) strangers.set(stranger.mac, written(stranger));
      }),
    read: () => call(() => [...strangers.values()]),
  };
}

function identitiesInMemory(call: Call): IdentityStore {
  const identities = new Map<string, Map<string, string>>();
  return {
    read: (node) => call(() => new Map(identities.get(node))),
    keep: (node, parts) =>
      call(() => {
        const own = identities.get(node) ?? new Map<string, string>();
        identities.set(node, own);
        for (const [kind, value] of parts) {
          const taken = [...identities.values()].some((other) => other.get(kind) === value);
          if (!own.has(kind) && !taken) own.set(kind, value);
        }
        return new Map(own);
      }),
  };
}

function certificatesInMemory(call: Call): CertificateStore {
  const certificates = new Map<string, SignedKey>();
  return {
    read: (name) => call(() => certificates.get(name)),
    keep: (name, next, before) =>
      call(() => {
        const has = certificates.get(name);
        if (has !== undefined && has.certificate !== before?.certificate) return has;
        certificates.set(name, { ...next });
        return next;
      }),
  };
}

function inventoriesInMemory(call: Call, first: ReadonlyMap<Mac, KeptInventory>): InventoryStore {
  const inventories = new Map(first);
  return {
    save: (mac, at, inventory) =>
      call(() => {
        inventories.set(mac, { at, inventory: written(inventory) });
      }),
    read: () => call(() => new Map(inventories)),
  };
}

function appliedInMemory(call: Call, first: ReadonlyMap<string, AppliedAt>): AppliedStore {
  const all = new Map(first);
  return {
    save: (changed) =>
      call(() => {
        for (const [node, applied] of changed) all.set(node, written(applied));
      }),
    read: () => call(() => new Map(all)),
    forget: (nodes) =>
      call(() => {
        for (const node of nodes) all.delete(node);
      }),
  };
}

function tokensInMemory(call: Call): TokenStore {
  const tokens = new Map<string, string>();
  return {
    read: () => call(() => new Map(tokens)),
    save: (changed) => call(() => change(tokens, changed)),
  };
}

function apiTokensInMemory(call: Call): ApiTokenStore {
  const tokens = new Map<string, ApiToken>();
  return {
    read: () => call(() => [...tokens.values()]),
    add: (token) =>
      call(() => {
        if (tokens.has(token.name)) return false;
        tokens.set(token.name, { ...token });
        return true;
      }),
    remove: (name) => call(() => tokens.delete(name)),
  };
}

/** What several servers may share. */
export type SharedRolls = {
  readonly rolls: Map<string, { readonly roll: Roll; readonly revision: number }>;
  readonly pins: Map<string, string>;
};

/** One server's view of rolls and pins in memory. */
export function rollsInMemory({ rolls, pins }: SharedRolls, call: Call = async (work) => work()): RollStore {
  let revisions = new Map<string, number>();
  let knownPins = new Map<string, string>();
  const isUnchanged = (id: string, changes: PinChanges): boolean =>
    rolls.get(id)?.revision === revisions.get(id) &&
    [...changes].every(([node, image]) => {
      const known = knownPins.get(node);
      return (image === null && known === undefined) || pins.get(node) === known;
    });
  return {
    save: (roll, changes, forgotten) =>
      call(() => {
        if (!isUnchanged(roll.id, changes)) return false;
        const revision = (revisions.get(roll.id) ?? 0) + 1;
        rolls.set(roll.id, { roll: written(roll), revision });
        revisions.set(roll.id, revision);
        for (const id of forgotten) {
          rolls.delete(id);
          revisions.delete(id);
        }
        const own = new Map([...changes].filter(([node, image]) => image !== null || knownPins.has(node)));
        change(pins, own);
        change(knownPins, own);
        return true;
      }),
    rolls: () =>
      call(() => {
        revisions = new Map([...rolls].map(([id, { revision }]) => [id, revision]));
        return oldestFirst([...rolls.values()].map(({ roll }) => roll));
      }),
    pins: () =>
      call(() => {
        knownPins = new Map(pins);
        return new Map(pins);
      }),
  };
}

/** `null` takes a value away. */
function change(values: Map<string, string>, changes: ReadonlyMap<string, string | null>): void {
  for (const [key, value] of changes) {
    if (value === null) values.delete(key);
    else values.set(key, value);
  }
}

function oldestFirst(rolls: readonly Roll[]): Roll[] {
  return [...rolls].sort((a, b) => a.begunAt - b.begunAt || (a.id < b.id ? -1 : 1));
}
