import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bundle, manifestFiles } from './bundle.ts';
import { textOf } from './diff.ts';

/** The texts of bundles' files, by SHA-256, so that a later bundle can be compared with a node's. */
export type Contents = {
  /** Keeps the texts of a bundle, in the background. */
  keep(bundle: Bundle): void;
  /** A kept text; `undefined` if it was never kept or has been forgotten. */
  text(sha256: string): Promise<string | undefined>;
  /** Forgets all except these and those of the last hour. */
  forgetAllBut(used: ReadonlySet<string>): Promise<void>;
  /** Resolves once everything pending is written. */
  settled(): Promise<void>;
};

/** A longer file is not shown line by line. */
const LARGEST_TEXT = 256 * 1024;
/** The most that one bundle may keep. */
const LARGEST_BUNDLE = 4 * 1024 * 1024;
/** Bundles that wait to be written; further ones are not kept. */
const MOST_WAITING = 256;
const FORGET_AFTER_MS = 3_600_000;

/**
 * Keeps texts as files in `folder` (made if needed, for this user only; its parent exists). Secrets, binary and large files are
 * not kept. `trouble` is called when writing fails; only the texts are missing then.
 */
export function openContents(folder: string, trouble: (error: unknown) => void): Contents {
  const present = new Set<string>();
  let waiting = 0;
  let last: Promise<void> = Promise.resolve();
  const path = (sha256: string) => join(folder, sha256);

  const write = async (sha256: string, content: Uint8Array): Promise<void> => {
    await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    const beside = path(`${sha256}.${randomUUID()}`);
    const handle = await open(beside, 'wx', 0o600);
    try {
      await handle.writeFile(content);
    } finally {
      await handle.close();
    }
    await rename(beside, path(sha256));
    present.add(sha256);
  };

  return {
    keep(bundle) {
      if (waiting >= MOST_WAITING) return;
      const texts = textsOf(bundle, present);
      if (texts.length === 0) return;
      waiting++;
      last = last
        .then(async () => {
          for (const [sha256, content] of texts) if (!present.has(sha256)) await write(sha256, content);
        })
        .catch(trouble)
        .finally(() => waiting--);
    },
    async text(sha256) {
      if (!/^[0-9a-f]{64}$/.test(sha256)) return undefined;
      return readFile(path(sha256), 'utf8').catch(() => undefined);
    },
    async forgetAllBut(used) {
      for (const name of await readdir(folder).catch(() => [])) {
        const about = used.has(name) ? undefined : await stat(path(name)).catch(() => undefined);
        if (!about || Date.now() - about.mtimeMs < FORGET_AFTER_MS) continue;
        present.delete(name);
        await rm(path(name), { force: true });
      }
    },
    settled: () => last,
  };
}

/** The texts of a bundle to keep, except those that are kept already. */
function textsOf(bundle: Bundle, present: ReadonlySet<string>): readonly (readonly [string, Uint8Array])[] {
  let room = LARGEST_BUNDLE;
  return manifestFiles(bundle.manifest).flatMap(({ blob }) => {
    const content = present.has(blob) ? undefined : bundle.blobs.get(blob);
    if (!content || content.length > LARGEST_TEXT || content.length > room) return [];
    const text = textOf(content);
    if (text === undefined || bundle.mask.finds(text)) return [];
    room -= content.length;
    return [[blob, content]];
  });
}
