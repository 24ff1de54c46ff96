import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bundle, manifestFiles } from './bundle.ts';
import { textOf } from './diff.ts';

/** A longer file is not shown line by line. */
const LARGEST_TEXT = 256 * 1024;
/** The most that one bundle may keep. */
const LARGEST_BUNDLE = 4 * 1024 * 1024;
/** Bundles that wait to be written; further ones are not kept. */
const MOST_WAITING = 256;
const FORGET_AFTER_MS = 3_600_000;

/**
 * The texts of bundles' files, by SHA-256, so that a later bundle can be compared with a node's: files in `folder` (made if needed, for
 * this user only; its parent exists). Secrets, binary and large files are not kept.
 */
export class Contents {
  readonly #folder: string;
  readonly #trouble: (error: unknown) => void;
  readonly #present = new Set<string>();
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  /** `trouble` is called when writing fails; only the texts are missing then. */
  constructor(folder: string, trouble: (error: unknown) => void) {
    this.#folder = folder;
    this.#trouble = trouble;
  }

  /** Keeps the texts of a bundle, in the background. */
  keep(bundle: Bundle): void {
    if (this.#waiting >= MOST_WAITING) return;
    const texts = textsOf(bundle, this.#present);
    if (texts.length === 0) return;
    this.#waiting++;
    this.#last = this.#last
      .then(async () => {
        for (const [sha256, content] of texts) if (!this.#present.has(sha256)) await this.#write(sha256, content);
      })
      .catch(this.#trouble)
      .finally(() => this.#waiting--);
  }

  /** A kept text; `undefined` if it was never kept or has been forgotten. */
  async text(sha256: string): Promise<string | undefined> {
    if (!/^[0-9a-f]{64}$/.test(sha256)) return undefined;
    return readFile(this.#path(sha256), 'utf8').catch(() => undefined);
  }

  /** Forgets all except these and those of the last hour. */
  async forgetAllBut(used: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.#folder).catch(() => [])) {
      const about = used.has(name) ? undefined : await stat(this.#path(name)).catch(() => undefined);
      if (!about || Date.now() - about.mtimeMs < FORGET_AFTER_MS) continue;
      this.#present.delete(name);
      await rm(this.#path(name), { force: true });
    }
  }

  /** Resolves once everything pending is written. */
  settled(): Promise<void> {
    return this.#last;
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  async #write(sha256: string, content: Uint8Array): Promise<void> {
    await mkdir(this.#folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    const beside = this.#path(`${sha256}.${randomUUID()}`);
    const handle = await open(beside, 'wx', 0o600);
    try {
      await handle.writeFile(content);
    } finally {
      await handle.close();
    }
    await rename(beside, this.#path(sha256));
    this.#present.add(sha256);
  }
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
