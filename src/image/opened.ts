import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ReveilleError } from '../errors.ts';
import { inTurn } from '../inTurn.ts';

/** What the boots of an image opened, as their nodes told. */
export type Opened = {
  /** How many reports are merged in it, and when the first came (ISO 8601). */
  readonly reports: number;
  readonly since: string;
  /** Absolute paths. */
  readonly paths: ReadonlySet<string>;
};

/** More paths than this are no longer taken in: a node can make up as many as it likes. */
const MOST_PATHS = 200_000;

/** The record with one more report in it. Pure. */
export function mergeOpened(before: Opened | undefined, paths: readonly string[], now: number): Opened {
  const merged = new Set(before?.paths);
  for (const path of paths) {
    if (merged.size >= MOST_PATHS) break;
    merged.add(path);
  }
  return {
    reports: (before?.reports ?? 0) + 1,
    since: before?.since ?? new Date(now).toISOString(),
    paths: merged,
  };
}

/** What is kept of an image's boots below the state folder, `opened/NAME`; undefined where no node has told anything. */
export async function readOpened(state: string, image: string): Promise<Opened | undefined> {
  const text = await readFile(place(state, image), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new ReveilleError('STATE_UNAVAILABLE', `what boots opened cannot be read: ${error.message}`, {
      cause: error,
    });
  });
  const [head = '', ...lines] = text?.split('\n') ?? [];
  const [, reports, since] = /^# reports (\d{1,9}) since (\S+)$/.exec(head) ?? [];
  if (reports === undefined || since === undefined) return undefined;
  return { reports: Number(reports), since, paths: new Set(lines.filter((line) => line !== '')) };
}

/** Keeps reports, one after the other, so that two that arrive at once are both taken in. */
export function openedRecords(
  state: string,
  now: () => number,
): (image: string, paths: readonly string[]) => Promise<void> {
  const inOrder = inTurn();
  return (image, paths) =>
    inOrder(async () => {
      const { reports, since, paths: all } = mergeOpened(await readOpened(state, image), paths, now());
      await mkdir(join(state, 'opened'), { recursive: true });
      const beside = join(state, 'opened', `.${image}.new`);
      await writeFile(beside, [`# reports ${reports} since ${since}`, ...[...all].sort(), ''].join('\n'));
      await rename(beside, place(state, image));
    });
}

function place(state: string, image: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(image)) {
    throw new ReveilleError('REQUEST_INVALID', `${JSON.stringify(image)} is not the name of an image`);
  }
  return join(state, 'opened', image);
}
