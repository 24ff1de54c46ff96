import { join } from 'node:path';
import { ServedImages } from '../image/served.ts';
import { openShelf } from '../image/shelf.ts';
import { imageOf } from '../roll/pins.ts';
import type { Rolls } from '../roll/run.ts';
import type { Core } from './core.ts';

/** The images of the shelf, and which of them a node boots. */
export function openImages({ stateFolder, supervisor, bus: { emit } }: Core, { pins }: Pick<Rolls, 'pins'>) {
  const all = openShelf(join(stateFolder, 'images'));
  const shelf = new ServedImages(all, emit);
  supervisor.measure('images', () => shelf.gauges());
  return { all, shelf, file: shelf.file, imageOf: imageOf(shelf, (node) => pins.get(node)) };
}
