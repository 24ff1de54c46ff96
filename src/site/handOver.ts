import { setImmediate } from 'node:timers/promises';
import { deserialize, serialize } from 'node:v8';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { SiteNode } from '../model/node.ts';
import type { Site } from './site.ts';

/**
 * A site in the form that passes from one thread to another, whole or as what differs from the one before: each piece unpacks within about a
 * millisecond.
 */
export type PackedSite = readonly Uint8Array<ArrayBuffer>[];

/** The parts that pass entry by entry; the maps by MAC and by address are rebuilt from the nodes. */
const MAPS = ['networks', 'classes', 'awaited', 'images', 'secrets', 'nodes'] as const;
type MapName = (typeof MAPS)[number];
type Rest = Omit<Site, MapName | 'nodeByMac' | 'nodeByIp'>;
type Entries = { readonly name: MapName; readonly entries: readonly (readonly [unknown, unknown])[] };

/** The first piece. */
type Head = {
  readonly rest: Rest;
  /** The maps that are as in the site before. */
  readonly same: readonly MapName[];
  /** Which nodes of the site before are left; absent: none, since all come anew. */
  readonly nodes?: {
    readonly gone: readonly string[];
    /** The names of all nodes in their order, if that is not the order before with new ones at the end. */
    readonly order?: readonly string[];
  };
};
type Piece = Head | Entries;

const MOST_ENTRIES = 128;
const LARGE_PIECE = 128 * 1024;
/** Nodes that are put into maps at once, which takes about a millisecond. */
const MOST_INDEXED = 2048;

/** Takes a site apart. */
export function packSite(site: Site): PackedSite {
  return [...piecesOf({ rest: restOf(site), same: [] }, site)];
}

/** What differs from the site `before`; `undefined` if nothing does, down to the order in which things stand. */
export function packChange(before: Site, site: Site): PackedSite | undefined {
  const same = MAPS.filter((name) => name !== 'nodes' && isSame(before[name], site[name]));
  const changed = new Map([...site.nodes].filter(([name, node]) => !isSame(node, before.nodes.get(name))));
  const gone = before.nodes
    .keys()
    .filter((name) => !site.nodes.has(name))
    .toArray();
  const order = namesAfter(before.nodes, changed, gone);
  const names = [...site.nodes.keys()];
  const isOrdered = order.every((name, i) => name === names[i]);
  const isSameNodes = changed.size === 0 && gone.length === 0 && isOrdered;
  if (isSameNodes && same.length === MAPS.length - 1 && isSame(restOf(before), restOf(site))) return undefined;
  const head: Head = isSameNodes
    ? { rest: restOf(site), same: [...same, 'nodes'] }
    : { rest: restOf(site), same, nodes: { gone, ...(isOrdered ? {} : { order: names }) } };
  return [...piecesOf(head, { ...site, nodes: changed })];
}

/** The names of nodes once `gone` have left and those that are new stand at the end. */
function namesAfter(
  before: ReadonlyMap<string, unknown>,
  changed: ReadonlyMap<string, unknown>,
  gone: readonly string[],
): readonly string[] {
  const left = new Set(gone);
  return [...before.keys().filter((name) => !left.has(name)), ...changed.keys().filter((name) => !before.has(name))];
}

/**
 * Assembles a site, with `pause` after each piece, so that the thread does its other work in between. Of a change, what did not change are
 * the objects of the site `before`.
 */
export async function unpackSite(
  pieces: PackedSite,
  before?: Site,
  pause: () => Promise<unknown> = () => setImmediate(),
): Promise<Site> {
  const maps = Object.fromEntries(MAPS.map((name) => [name, new Map()])) as Record<MapName, Map<unknown, unknown>>;
  let head: Head | undefined;
  for (const packed of pieces) {
    const piece = deserialize(packed) as Piece;
    if ('rest' in piece) head = piece;
    else for (const [key, value] of piece.entries) maps[piece.name].set(key, value);
    await pause();
  }
  if (head === undefined) throw new Error('a part of the site is missing');
  const { rest, same, nodes: left } = head;
  if (before === undefined && (same.length > 0 || left)) throw new Error('the site before is missing');
  const kept = Object.fromEntries(same.map((name) => [name, before?.[name]]));
  const parts = { ...rest, ...(maps as unknown as Pick<Site, MapName>), ...kept };
  if (same.includes('nodes') && before) return { ...parts, nodeByMac: before.nodeByMac, nodeByIp: before.nodeByIp };
  return { ...parts, ...(await indexed(left, before?.nodes ?? new Map(), parts.nodes, pause)) };
}

/** The nodes in their order, and by their MACs and addresses. */
async function indexed(
  left: Head['nodes'],
  before: ReadonlyMap<string, SiteNode>,
  changed: ReadonlyMap<string, SiteNode>,
  pause: () => Promise<unknown>,
): Promise<Pick<Site, 'nodes' | 'nodeByMac' | 'nodeByIp'>> {
  const order = left === undefined ? changed.keys() : (left.order ?? namesAfter(before, changed, left.gone));
  const nodes = new Map<string, SiteNode>();
  const nodeByMac = new Map<Mac, SiteNode>();
  const nodeByIp = new Map<Ipv4, SiteNode>();
  for (const name of order) {
    const node = changed.get(name) ?? before.get(name);
    if (node === undefined) throw new Error(`node ${name} is missing`);
    nodes.set(name, node);
    for (const mac of node.macs) nodeByMac.set(mac, node);
    if (node.ip !== undefined) nodeByIp.set(node.ip, node);
    if (nodes.size % MOST_INDEXED === 0) await pause();
  }
  return { nodes, nodeByMac, nodeByIp };
}

function restOf({ nodeByMac: _, nodeByIp: __, ...site }: Site): Rest {
  const { networks, classes, awaited, images, secrets, nodes, ...rest } = site;
  return rest;
}

function* piecesOf(head: Head, site: Site): Iterable<Uint8Array<ArrayBuffer>> {
  yield packed(head);
  for (const name of MAPS) {
    if (head.same.includes(name)) continue;
    const entries = [...site[name]];
    for (let i = 0; i < entries.length; i += MOST_ENTRIES) yield* split(name, entries.slice(i, i + MOST_ENTRIES));
  }
}

function* split(name: MapName, entries: Entries['entries']): Iterable<Uint8Array<ArrayBuffer>> {
  const piece = packed({ name, entries });
  if (piece.length <= LARGE_PIECE || entries.length === 1) return yield piece;
  const half = entries.length >> 1;
  yield* split(name, entries.slice(0, half));
  yield* split(name, entries.slice(half));
}

/** In memory of its own, so that it can be transferred without a copy. */
function packed(piece: Piece): Uint8Array<ArrayBuffer> {
  const bytes = serialize(piece) as Buffer<ArrayBuffer>;
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Map && b instanceof Map) return a.size === b.size && isSame([...a], [...b]);
  const [ofA, ofB] = [Object.entries(a), Object.entries(b)];
  return ofA.length === ofB.length && ofA.every(([key, value], i) => ofB[i]?.[0] === key && isSame(value, ofB[i]?.[1]));
}
