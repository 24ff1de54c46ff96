import type { LoaderChoice, RoleSettings, Var, Vars } from '../model/node.ts';
import type { BmcSettings } from './bmc.ts';
import { mergeReplacements } from './replace.ts';

/** The settings of a profile or a node, read and checked. */
export type Settings = RoleSettings & {
  readonly loader?: LoaderChoice;
  readonly network?: string;
  readonly bmc?: BmcSettings;
};

/**
 * Merges settings in order; later ones take precedence: single values are replaced, `image` and `boot` replace each other; lists
 * are joined and a word that is in already is not added again; options are replaced by number, tokens by file and token;
 * variables and the BMC's settings merge map by map. Layers may be merged beforehand, the first ones with each other. What only one layer
 * sets is shared with it.
 */
export function mergeSettings(layers: readonly Settings[]): Settings {
  const { image, boot } = layers.findLast((layer) => (layer.image ?? layer.boot) !== undefined) ?? {};
  const { loader } = layers.findLast((layer) => layer.loader !== undefined) ?? {};
  const { network } = layers.findLast((layer) => layer.network !== undefined) ?? {};
  const { nextServer } = layers.findLast((layer) => layer.nextServer !== undefined) ?? {};
  const { bootFile } = layers.findLast((layer) => layer.bootFile !== undefined) ?? {};
  const { settingsSeconds } = layers.findLast((layer) => layer.settingsSeconds !== undefined) ?? {};
  const bmcs = layers.flatMap(({ bmc }) => (bmc === undefined ? [] : [bmc]));
  return {
    ...(image === undefined ? {} : { image }),
    ...(boot === undefined ? {} : { boot }),
    ...(loader === undefined ? {} : { loader }),
    ...(network === undefined ? {} : { network }),
    ...(nextServer === undefined ? {} : { nextServer }),
    ...(bootFile === undefined ? {} : { bootFile }),
    kernelArgs: joined(layers.map((layer) => layer.kernelArgs)),
    overlays: joined(layers.map((layer) => layer.overlays)),
    overlayOrigins: mapped(layers.toReversed().map((layer) => layer.overlayOrigins)),
    replace: mergeReplacements(layers.map((layer) => layer.replace)),
    services: joined(layers.map((layer) => layer.services)),
    ...(settingsSeconds === undefined ? {} : { settingsSeconds }),
    vars: layers.reduce((merged, layer) => mergeVars(merged, layer.vars), {} as Vars),
    ...(bmcs.length === 0 ? {} : { bmc: Object.assign({}, ...bmcs) as BmcSettings }),
    options: mapped(layers.map((layer) => layer.options)),
  };
}

/** `later` over `earlier`: maps merge key by key, anything else (lists too) is replaced. */
export function mergeVars(earlier: Vars, later: Vars): Vars {
  if (Object.keys(later).length === 0) return earlier;
  const merged: Record<string, Var> = { ...earlier };
  for (const [name, value] of Object.entries(later)) {
    const before = merged[name];
    merged[name] = isMap(before) && isMap(value) ? mergeVars(before, value) : value;
  }
  return merged;
}

function joined(lists: readonly (readonly string[])[]): readonly string[] {
  const [first = [], ...more] = lists.filter(({ length }) => length > 0);
  const words = new Set(first);
  for (const list of more) for (const word of list) words.add(word);
  return words.size === first.length ? first : [...words];
}

/** The entries of all maps, of one key the last; most layers have none. */
function mapped<K, V>(maps: readonly ReadonlyMap<K, V>[]): ReadonlyMap<K, V> {
  const [first = new Map<K, V>(), ...more] = maps.filter(({ size }) => size > 0);
  return more.length === 0 ? first : new Map([first, ...more].flatMap((map) => [...map]));
}

function isMap(value: Var | undefined): value is Vars {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
