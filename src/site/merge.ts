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
 * variables and the BMC's settings merge map by map.
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
    overlayOrigins: new Map(layers.toReversed().flatMap((layer) => [...layer.overlayOrigins])),
    replace: mergeReplacements(layers.flatMap((layer) => layer.replace)),
    services: joined(layers.map((layer) => layer.services)),
    ...(settingsSeconds === undefined ? {} : { settingsSeconds }),
    vars: layers.reduce((merged, layer) => mergeVars(merged, layer.vars), {} as Vars),
    ...(bmcs.length === 0 ? {} : { bmc: Object.assign({}, ...bmcs) as BmcSettings }),
    options: new Map(layers.flatMap((layer) => [...layer.options])),
  };
}

/** `later` over `earlier`: maps merge key by key, anything else (lists too) is replaced. */
export function mergeVars(earlier: Vars, later: Vars): Vars {
  const merged: Record<string, Var> = { ...earlier };
  for (const [name, value] of Object.entries(later)) {
    const before = merged[name];
    merged[name] = isMap(before) && isMap(value) ? mergeVars(before, value) : value;
  }
  return merged;
}

function joined(lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(lists.flat())];
}

function isMap(value: Var | undefined): value is Vars {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
