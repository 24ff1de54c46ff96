import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ReveilleError } from '../errors.ts';
import { fileListOf } from './fileList.ts';
import { openedPaths } from './openedList.ts';

/** What the boots of an image opened, as their nodes report. */
export type Opened = {
  /** How many reports are merged in it, and when the first came (ISO 8601). */
  readonly reports: number;
  readonly since: string;
  /** Absolute paths. */
  readonly paths: ReadonlySet<string>;
};

/** How much is kept: a node can make up as many paths as it likes. A full image has some 60,000 of 55 bytes. */
export const OPENED_LIMITS = { paths: 100_000, bytes: 8 * 1024 * 1024, bytesOfAll: 64 * 1024 * 1024 };

/**
 * The record with one more report in it, as far as it has room. Of paths only those of `files` count, where the files of the image
 * are known. Pure.
 */
export function mergeOpened(
  before: Opened | undefined,
  paths: Iterable<string>,
  now: number,
  files?: ReadonlySet<string>,
): Opened {
  const merged = new Set<string>();
  let bytes = 0;
  for (const path of bothOf(before?.paths ?? [], paths)) {
    if (merged.has(path) || files?.has(path) === false) continue;
    bytes += Buffer.byteLength(path) + 1;
    if (merged.size >= OPENED_LIMITS.paths || bytes > OPENED_LIMITS.bytes) break;
    merged.add(path);
  }
  return {
    reports: (before?.reports ?? 0) + 1,
    since: before?.since ?? new Date(now).toISOString(),
    paths: merged,
  };
}

function* bothOf<T>(first: Iterable<T>, second: Iterable<T>): Iterable<T> {
  yield* first;
  yield* second;
}

/** Puts one more report into an image's record. All of it is done at once: it is for a thread that has nothing else to do. */
export function recordOpened(state: string, image: string, list: Uint8Array, now: number): void {
  const place = openedPlace(state, image);
  const files = fileListOf(join(state, 'images'), image);
  const { reports, since, paths } = mergeOpened(parseRecord(readIfThere(place)), openedPaths(list), now, files);
  const folder = join(state, 'opened');
  mkdirSync(folder, { recursive: true });
  const text = [`# reports ${reports} since ${since}`, ...[...paths].sort(), ''].join('\n');
  if (bytesOfOthers(folder, image) + Buffer.byteLength(text) > OPENED_LIMITS.bytesOfAll) {
    throw new ReveilleError('SERVER_BUSY', `what boots opened takes all the room it may in ${folder}`, {
      hint: 'remove the records of images that are not built any more',
    });
  }
  const beside = join(folder, `.${image}.new`);
  try {
    writeFileSync(beside, text);
    renameSync(beside, place);
  } catch (error) {
    rmSync(beside, { force: true });
    throw new ReveilleError('STATE_UNAVAILABLE', `what boots opened cannot be written: ${(error as Error).message}`);
  }
}

/** A record's text, which begins with `# reports N since WHEN`; `undefined` for any other. */
export function parseRecord(text: string | undefined): Opened | undefined {
  const [head = '', ...lines] = text?.split('\n') ?? [];
  const [, reports, since] = /^# reports (\d{1,9}) since (\S+)$/.exec(head) ?? [];
  if (reports === undefined || since === undefined) return undefined;
  return { reports: Number(reports), since, paths: new Set(lines.filter((line) => line !== '')) };
}

/** A record of an earlier version may be longer than one may be now: it begins anew. */
function readIfThere(place: string): string | undefined {
  try {
    return statSync(place).size > 2 * OPENED_LIMITS.bytes ? undefined : readFileSync(place, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ReveilleError('STATE_UNAVAILABLE', `what boots opened cannot be read: ${(error as Error).message}`);
  }
}

function bytesOfOthers(folder: string, image: string): number {
  let bytes = 0;
  for (const name of readdirSync(folder)) {
    if (name === image || name.startsWith('.')) continue;
    bytes += statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

/** Where an image's record is. Throws REQUEST_INVALID for what is not an image's name. */
export function openedPlace(state: string, image: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(image)) {
    throw new ReveilleError('REQUEST_INVALID', `${JSON.stringify(image)} is not the name of an image`);
  }
  return join(state, 'opened', image);
}
