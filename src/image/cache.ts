import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type DebId, debName } from './packages.ts';

/** What a root was built from: two roots with the same key differ at most by the state of the mirrors. */
export type BaseRecord = { readonly key: string; readonly builtAt: string; readonly modulesFreedBytes: number };

/** A root is used again for a day. After that its packages may lack a security update. */
export const BASE_HOURS = 24;

const SYSTEM_CACHE = '/var/cache/reveille';

/**
 * Where builds keep what saves time: `$REVEILLE_CACHE`; `/var/cache/reveille` for root and for its owner; else below `~/.cache`.
 */
export function defaultCache(
  env: NodeJS.ProcessEnv,
  uid: number | undefined,
  ownerOf: (path: string) => number | undefined = (path) => statSync(path, { throwIfNoEntry: false })?.uid,
): string {
  if (env.REVEILLE_CACHE) return env.REVEILLE_CACHE;
  if (uid === 0 || (uid !== undefined && ownerOf(SYSTEM_CACHE) === uid)) return SYSTEM_CACHE;
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'reveille');
}

/** A root as a tar, and the file that says which one it is. */
export type Slot = { readonly tar: string; readonly record: string };

/** The files of one image's builds in the cache. */
export type CacheFiles = {
  /** What the image is made from. */
  readonly root: Slot;
  /** What was read from a disk or a container image, before packages and `run` lines. */
  readonly source: Slot;
  readonly log: string;
  readonly lock: string;
  /** Unfinished work, until the next build. */
  readonly work: string;
  readonly debs: string;
  /** Folder of the guest that reads disks. */
  readonly diskReader: string;
};

/** Names the cache's files for an image and makes their folders. */
export async function openCache(folder: string, image: string): Promise<CacheFiles> {
  const roots = join(folder, 'roots');
  const debs = join(folder, 'debs');
  await mkdir(roots, { recursive: true });
  await mkdir(debs, { recursive: true });
  const at = join(roots, image);
  const slot = (ending: string) => ({ tar: `${at}${ending}.tar`, record: `${at}${ending}.json` });
  return {
    root: slot(''),
    source: slot('+source'),
    log: `${at}.log`,
    lock: `${at}.lock`,
    work: `${at}.work`,
    debs,
    diskReader: join(folder, 'disk-reader'),
  };
}

/** A key over everything that shapes a root. */
export function baseKey(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** The root of an earlier build, if it is of this key and not older than so many hours. */
export async function findBase(files: Slot, key: string, now: number, hours: number): Promise<BaseRecord | undefined> {
  const text = await readFile(files.record, 'utf8').catch(() => undefined);
  if (text === undefined || (await stat(files.tar).catch(() => undefined)) === undefined) return undefined;
  const record = parseRecord(text);
  if (record === undefined || record.key !== key) return undefined;
  const age = now - Date.parse(record.builtAt);
  return age >= 0 && age < hours * 3_600_000 ? record : undefined;
}

/** Takes a new root into the cache. The record is removed first and written last, so that it never describes another tar. */
export async function keepBase(files: Slot, tar: string, record: BaseRecord): Promise<void> {
  await rm(files.record, { force: true });
  await rename(tar, files.tar);
  await writeFile(files.record, `${JSON.stringify(record)}\n`, { flush: true });
}

function parseRecord(text: string): BaseRecord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { key, builtAt, modulesFreedBytes } = value as { readonly [name: string]: unknown };
    if (typeof key !== 'string' || typeof builtAt !== 'string' || typeof modulesFreedBytes !== 'number')
      return undefined;
    return { key, builtAt, modulesFreedBytes };
  } catch {
    return undefined;
  }
}

/** Takes downloaded packages into the pool that all builds share. */
export async function poolDebs(files: CacheFiles, from: string): Promise<void> {
  for (const name of await readdir(from)) {
    if (name.endsWith('.deb')) await rename(join(from, name), join(files.debs, name));
  }
}

const DEB_DAYS = 60;

function ifGone<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return value;
    throw error;
  };
}

/**
 * Marks the packages that a root holds as used, and removes those that no build has used for two months. Another build may
 * remove one meanwhile.
 */
export async function ageDebs(files: CacheFiles, used: readonly DebId[], now: number): Promise<void> {
  const names = new Set(used.map(debName));
  for (const name of await readdir(files.debs)) {
    const path = join(files.debs, name);
    if (names.has(name)) await utimes(path, now / 1000, now / 1000).catch(ifGone(undefined));
    else if (((await stat(path).catch(ifGone(undefined)))?.mtimeMs ?? now) < now - DEB_DAYS * 86_400_000) {
      await rm(path, { force: true });
    }
  }
}
