import { join } from 'node:path';
import { servedImages } from '../image/served.ts';
import { openShelf } from '../image/shelf.ts';
import { imageOf } from '../roll/pins.ts';
import type { Rolls } from '../roll/run.ts';
import type { Core } from './core.ts';

/** The images of the shelf, and which of them a node boots. */
export function openImages({ stateFolder, bus: { emit } }: Core, { pins }: Pick<Rolls, 'pins'>) {
  const images = servedImages(openShelf(join(stateFolder, 'images')), emit);
  return { shelf: images.shelf, file: images.file, imageOf: imageOf(images.shelf, (node) => pins.get(node)) };
}
