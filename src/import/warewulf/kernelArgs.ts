import type { Layer } from './layers.ts';

/**
 * The words that a node boots with: since 4.6 those of all its layers, without what a `~word` takes away; before, those of the
 * last layer that has any.
 */
export function argsOf(layers: readonly Layer[], isNew: boolean): readonly string[] {
  if (!isNew) return layers.findLast(({ kernelArgs }) => kernelArgs.length > 0)?.kernelArgs ?? [];
  const all = layers.flatMap(({ kernelArgs }) => kernelArgs);
  const gone = new Set(all.filter((word) => word.startsWith('~')).map((word) => word.slice(1)));
  return all.filter((word) => !word.startsWith('~') && !gone.has(word));
}

/** What a site makes of the same layers: the words of all, each once. */
function joined(layers: readonly Layer[]): readonly string[] {
  return [...new Set(layers.flatMap(({ kernelArgs }) => kernelArgs))];
}

/**
 * The profiles whose words a site cannot join with those of other layers to what Warewulf makes of them: they stand with the
 * nodes. `nodes` has the layers of each node, the profiles first, by name.
 */
export function unjoined(nodes: readonly (readonly Layer[])[], isNew: boolean): ReadonlySet<Layer> {
  const apart = new Set<Layer>();
  for (let before = -1; before < apart.size; ) {
    before = apart.size;
    for (const layers of nodes) {
      const isApart = layers.some((layer) => apart.has(layer));
      if (!isApart && joined(layers).join(' ') === [...new Set(argsOf(layers, isNew))].join(' ')) continue;
      for (const layer of layers.slice(0, -1)) if (layer.kernelArgs.length > 0) apart.add(layer);
    }
  }
  return apart;
}
