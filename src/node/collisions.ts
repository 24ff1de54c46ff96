import { dirname } from 'node:path';
import type { FolderSource, Source } from './sources.ts';

/** What a node is to have at a path, without its content. `file` says who gives it. */
export type Laid = { readonly path: string; readonly file: string; readonly kind: 'file' | 'folder' | 'link' };

/** Two things that cannot both be: `inner` needs a folder where `outer` is a file. */
export type Collision = { readonly outer: Laid; readonly inner: Laid };

/** What is laid of these sources. A template that makes several files says only beside what. */
export function laidOf(sources: readonly Source[], folders: readonly FolderSource[]): readonly Laid[] {
  return [
    ...sources
      .filter((source) => 'target' in source || !source.several)
      .map((source): Laid => ({ path: source.path, file: source.file, kind: 'target' in source ? 'link' : 'file' })),
    ...folders.map(({ path, file }): Laid => ({ path, file, kind: 'folder' })),
  ];
}

/** Every file that stands where something else needs a folder; of files at one path the last counts. A link may lead to a folder. */
export function collisions(laid: readonly Laid[]): readonly Collision[] {
  const winners = new Map(laid.filter(({ kind }) => kind !== 'folder').map((one) => [one.path, one]));
  const found: Collision[] = [];
  for (const inner of laid) {
    if (inner.kind !== 'folder' && winners.get(inner.path) !== inner) continue;
    let path = inner.kind === 'folder' ? inner.path : dirname(inner.path);
    for (; path !== '/'; path = dirname(path)) {
      const outer = winners.get(path);
      if (outer?.kind !== 'file') continue;
      found.push({ outer, inner });
      break;
    }
  }
  return found;
}

/** In words, for the file that has the place of the folder. */
export function collisionWords({ outer, inner }: Collision): readonly [message: string, hint: string] {
  return [
    `this is laid as the file ${outer.path}, which ${inner.file} needs as a folder`,
    'a path is one of the two: rename or take away one of them',
  ];
}
