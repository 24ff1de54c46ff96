import { setImmediate } from 'node:timers/promises';
import { deserialize, serialize } from 'node:v8';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { SiteNode } from '../model/node.ts';
import type { Site } from './site.ts';

/** A site in the form that passes from one thread to another: each piece unpacks within about a millisecond. */
export type PackedSite = readonly Uint8Array<ArrayBuffer>[];

/** The parts that pass entry by entry; the maps by MAC and by address are rebuilt as nodes arrive. */
const MAPS = ['networks', 'classes', 'awaited', 'images', 'secrets', 'nodes'] as const;
type MapName = (typeof MAPS)[number];
type Rest = Omit<Site, MapName | 'nodeByMac' | 'nodeByIp'>;
type Entries = { readonly name: MapName; readonly entries: readonly (readonly [unknown, unknown])[] };
type Piece = { readonly rest: Rest } | Entries;

const MOST_ENTRIES = 128;
const LARGE_PIECE = 128 * 1024;

/** Takes a site apart. */
export function packSite(site: Site): PackedSite {
  return [...piecesOf(site)];
}

/** Whether two sites are equal, including the order of their parts. */
export function isSameSite(a: Site, b: Site): boolean {
  const { nodeByMac: _, nodeByIp: __, ...one } = a;
  const { nodeByMac: ___, nodeByIp: ____, ...other } = b;
  return isSame(one, other);
}

/** Assembles a site, with `pause` after each piece, so that the thread does its other work in between. */
export async function unpackSite(
  pieces: PackedSite,
  pause: () => Promise<unknown> = () => setImmediate(),
): Promise<Site> {
  const maps = Object.fromEntries(MAPS.map((name) => [name, new Map()])) as Record<MapName, Map<unknown, unknown>>;
  const nodeByMac = new Map<Mac, SiteNode>();
  const nodeByIp = new Map<Ipv4, SiteNode>();
  let rest: Rest | undefined;
  for (const packed of pieces) {
    const piece = deserialize(packed) as Piece;
    if ('rest' in piece) rest = piece.rest;
    else for (const [key, value] of piece.entries) maps[piece.name].set(key, value);
    if ('name' in piece && piece.name === 'nodes') {
      for (const [, node] of piece.entries as readonly (readonly [string, SiteNode])[]) {
        for (const mac of node.macs) nodeByMac.set(mac, node);
        if (node.ip !== undefined) nodeByIp.set(node.ip, node);
      }
    }
    await pause();
  }
  if (rest === undefined) throw new Error('a part of the site is missing');
  return { ...rest, ...(maps as unknown as Pick<Site, MapName>), nodeByMac, nodeByIp };
}

function* piecesOf({ nodeByMac: _, nodeByIp: __, ...site }: Site): Iterable<Uint8Array<ArrayBuffer>> {
  const { networks, classes, awaited, images, secrets, nodes, ...rest } = site;
  yield packed({ rest });
  for (const name of MAPS) {
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
  if (a instanceof Map && b instanceof Map) return isSame([...a], [...b]);
  const [ofA, ofB] = [Object.entries(a), Object.entries(b)];
  return ofA.length === ofB.length && ofA.every(([key, value], i) => ofB[i]?.[0] === key && isSame(value, ofB[i]?.[1]));
}
