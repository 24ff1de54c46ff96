import { lstat } from 'node:fs/promises';
import type { ImageFileName } from '../boot/image.ts';
import { ReveilleError, wordsOf } from '../errors.ts';
import type { EventSink } from '../model/event.ts';
import type { Shelf, ShelvedFile, ShelvedImage } from './shelf.ts';

/** The same damage is reported once in this time; so many reports are remembered. */
const REPEAT_MS = 60_000;
const MOST_REMEMBERED = 256;

/** The shelf as the servers see it. */
export type ServedImages = {
  readonly shelf: Shelf;
  /** A file of an image, by the image's identity; only one that is there as its manifest says. */
  file(sha256: string, which: ImageFileName): Promise<ShelvedFile | undefined>;
};

/**
 * The images that machines are sent. Damage (of a file, a manifest, the record of a name) affects its image only: the call
 * rejects with STATE_UNAVAILABLE, and an event names the file and the remedy. `now` is in milliseconds.
 */
export function servedImages(shelf: Shelf, emit: EventSink, now: () => number = () => performance.now()): ServedImages {
  const reportedAt = new Map<string, number>();

  const report = ({ code, message, hint }: ReveilleError): void => {
    const at = now();
    if (at - (reportedAt.get(message) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return;
    reportedAt.delete(message);
    reportedAt.set(message, at);
    const oldest = reportedAt.size > MOST_REMEMBERED ? reportedAt.keys().next().value : undefined;
    if (oldest !== undefined) reportedAt.delete(oldest);
    emit({ kind: 'server.trouble', code, message, ...(hint !== undefined && { hint }) });
  };

  const reporting =
    <Args extends unknown[], T>(ask: (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      try {
        return await ask(...args);
      } catch (error) {
        if (error instanceof ReveilleError && error.code === 'STATE_UNAVAILABLE') report(error);
        throw error;
      }
    };

  const file = async (sha256: string, which: ImageFileName): Promise<ShelvedFile | undefined> => {
    const image = await shelf.byHash(sha256);
    const found = image && fileOf(image, which);
    if (found) await requireWhole(image, which, found);
    return found;
  };

  return {
    shelf: {
      ...shelf,
      byHash: reporting(shelf.byHash),
      current: reporting(shelf.current),
      builds: reporting(shelf.builds),
    },
    file: reporting(file),
  };
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
