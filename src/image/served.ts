import { lstat } from 'node:fs/promises';
import type { ImageFileName } from '../boot/image.ts';
import { ReveilleError, wordsOf } from '../errors.ts';
import type { EventSink } from '../model/event.ts';
import type { GaugesOf } from '../model/gauges.ts';
import type { Shelf, ShelvedFile, ShelvedImage } from './shelf.ts';

/** The same damage is reported once in this time; so many reports are remembered. */
const REPEAT_MS = 60_000;
const MOST_REMEMBERED = 256;

type ReadableShelf = Pick<Shelf, 'byHash' | 'current'>;

/**
 * The images that machines are sent: the shelf as the servers see it. Damage (of a file, a manifest, the record of a name) affects its
 * image only: the call rejects with STATE_UNAVAILABLE, and an event names the file and the remedy.
 */
export class ServedImages implements ReadableShelf {
  readonly #shelf: ReadableShelf;
  readonly #emit: EventSink;
  readonly #now: () => number;
  readonly #reportedAt = new Map<string, number>();
  #damaged = 0;

  /** `now` is in milliseconds. */
  constructor(shelf: ReadableShelf, emit: EventSink, now: () => number = () => performance.now()) {
    this.#shelf = shelf;
    this.#emit = emit;
    this.#now = now;
  }

  gauges(): GaugesOf<'images'> {
    return { damaged: this.#damaged };
  }

  readonly byHash: Shelf['byHash'] = (sha256) => this.#reporting(() => this.#shelf.byHash(sha256));
  readonly current: Shelf['current'] = (name) => this.#reporting(() => this.#shelf.current(name));

  /** A file of an image, by the image's identity; only one that is there as its manifest says. */
  readonly file = (sha256: string, which: ImageFileName): Promise<ShelvedFile | undefined> =>
    this.#reporting(async () => {
      const image = await this.#shelf.byHash(sha256);
      const found = image && fileOf(image, which);
      if (found) await requireWhole(image, which, found);
      return found;
    });

  async #reporting<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof ReveilleError && error.code === 'STATE_UNAVAILABLE') this.#report(error);
      throw error;
    }
  }

  #report({ code, message, hint }: ReveilleError): void {
    this.#damaged++;
    const at = this.#now();
    if (at - (this.#reportedAt.get(message) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return;
    this.#reportedAt.delete(message);
    this.#reportedAt.set(message, at);
    const oldest = this.#reportedAt.size > MOST_REMEMBERED ? this.#reportedAt.keys().next().value : undefined;
    if (oldest !== undefined) this.#reportedAt.delete(oldest);
    this.#emit({ kind: 'server.trouble', code, message, ...(hint !== undefined && { hint }) });
  }
}

function fileOf(image: ShelvedImage, which: ImageFileName): ShelvedFile | undefined {
  return which === 'vmlinuz' ? image.kernel : which === 'initrd' ? image.initrd : image.root;
}

/** Only its size reports at once: hashing an image takes seconds, and the machine that boots it checks what it got. */
async function requireWhole(image: ShelvedImage, which: ImageFileName, { path, size }: ShelvedFile): Promise<void> {
  const about = `${which} of image ${image.name} (${path})`;
  const stat = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR' && error.code !== 'EACCES') throw error;
    throw damaged(`${about} cannot be read: ${wordsOf(error)}`, image);
  });
  if (!stat.isFile()) throw damaged(`${about} is not a regular file`, image);
  if (stat.size !== size) throw damaged(`${about} has ${stat.size} bytes, its manifest says ${size}`, image);
}

function damaged(message: string, { name }: ShelvedImage): ReveilleError {
  return new ReveilleError('STATE_UNAVAILABLE', message, {
    hint: `build it again (reveille image build ${name})`,
  });
}
