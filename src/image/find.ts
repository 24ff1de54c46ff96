import { ReveilleError } from '../errors.ts';
import type { Shelf, ShelvedImage } from './shelf.ts';

/**
 * The image that an operator means: `NAME` (what it stands for now), `NAME@1` (the build before that), or the beginning
 * of an image's SHA-256, of at least six digits. Throws IMAGE_MISSING.
 */
export async function findImage(shelf: Shelf, text: string): Promise<ShelvedImage> {
  const [, name = text, back = '0'] = /^(.+)@(\d+)$/.exec(text) ?? [];
  const builds = await shelf.builds(name).catch((error: unknown) => {
    if (error instanceof ReveilleError && error.code === 'REQUEST_INVALID') return [];
    throw error;
  });
  const meant = builds[Number(back)];
  if (meant !== undefined) {
    const image = await shelf.byHash(meant);
    if (image !== undefined) return { ...image, name };
  }
  if (builds.length > 0) {
    throw new ReveilleError('IMAGE_MISSING', `the build ${text} is not on the shelf any more`, {
      hint: builds.length === 1 ? `there is only ${name}` : `there are ${name} to ${name}@${builds.length - 1}`,
    });
  }
  const hashes = /^[0-9a-f]{6,64}$/.test(text) ? (await shelf.hashes()).filter((one) => one.startsWith(text)) : [];
  const [only, second] = hashes;
  const image = only === undefined || second !== undefined ? undefined : await shelf.byHash(only);
  if (image !== undefined) return image;
  const names = (await shelf.list()).map((one) => one.name).join(', ');
  throw new ReveilleError(
    'IMAGE_MISSING',
    second === undefined ? `no image ${text} is on the shelf` : `several images begin with ${text}`,
    { hint: names === '' ? 'build one: reveille image build NAME' : `built images: ${names}` },
  );
}
