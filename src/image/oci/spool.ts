import type { ForeignSource } from '../../model/recipe.ts';
import { ROOT_EPOCH, type RootStep } from '../mmdebstrap.ts';
import { mergeLayers } from './merge.ts';
import { openImage } from './open.ts';

/** Writes the root of a container image as one tar at `to`. `work` is a folder for what is in between. */
export async function spoolOci(
  from: Extract<ForeignSource, { kind: 'oci' }>,
  to: string,
  work: string,
  onStep: (step: RootStep) => void,
): Promise<void> {
  onStep({ doing: 'checking the digests of the container image' });
  const layers = await openImage(from.path, { tag: from.tag, architecture: process.arch, work });
  await mergeLayers(layers, to, ROOT_EPOCH, (done, of) =>
    onStep({ doing: `merging ${layers.length} layers`, fraction: done / of }),
  );
}
