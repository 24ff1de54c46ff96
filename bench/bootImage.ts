import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openShelf } from '../src/image/shelf.ts';

/** Puts an image of random bytes, called `ram`, on the shelf of a state folder. */
export async function putImage(
  state: string,
  kernel: Buffer = randomBytes(100_000),
  initrd: Buffer = randomBytes(500_000),
): Promise<void> {
  const shelf = openShelf(join(state, 'images'));
  const draft = await shelf.draft('ram');
  const put = (name: string, bytes: Buffer) => {
    writeFileSync(join(draft, name), bytes);
    return { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  };
  await shelf.put(draft, {
    name: 'ram',
    kernel: put('vmlinuz', kernel),
    initrd: put('initrd', initrd),
    builtAt: '2026-01-01T00:00:00.000Z',
    kernelVersion: '6.1.0',
    packages: [],
  });
}
