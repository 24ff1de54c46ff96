import { dirname } from 'node:path';
import type { FolderSource, Source } from './sources.ts';

/** What a node gets at a path, without its content. `file` names its source. */
export type Laid = { readonly path: string; readonly file: string; readonly kind: 'file' | 'folder' | 'link' };

/** Two paths that exclude each other: `inner` needs a folder where `outer` is a file. */
export type Collision = { readonly outer: Laid; readonly inner: Laid };

/** The paths that these sources write. Of a template for several files, only the folder is known. */
export function laidOf(sources: readonly Source[], folders: readonly FolderSource[]): readonly Laid[] {
  return [
    ...sources
      .filter((source) => 'target' in source || !source.several)
      .map((source): Laid => ({ path: source.path, file: source.file, kind: 'target' in source ? 'link' : 'file' })),
    ...folders.map(({ path, file }): Laid => ({ path, file, kind: 'folder' })),
  ];
}

/** Every file at a path where another one needs a folder; of files at one path the last counts. A link may point to a folder. */
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

/** The message, for the file at the path of the folder. */
export function collisionWords({ outer, inner }: Collision): readonly [message: string, hint: string] {
  return [
    `this is written as the file ${outer.path}, which ${inner.file} needs as a folder`,
    'a path is one of the two: rename or take away one of them',
  ];
}
