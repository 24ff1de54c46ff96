import type { ClassText, Drafted, ProfileText, Reading } from './reading.ts';
import type { Field } from './settings.ts';

/** Where what is given to requests with certain tags is written. */
export type Target =
  | { readonly kind: 'network'; readonly text: Drafted['text']; readonly drafted: Drafted }
  | { readonly kind: 'class'; readonly name: string; readonly text: ClassText }
  | { readonly kind: 'profile'; readonly name: string; readonly text: ProfileText };

/**
 * Says where something belongs that is given where all of these tags are set (`!` in front: not set): without tags to every
 * network. `others` tells whether a tag's own members are given something of the kind themselves, so that what is for all the
 * rest can stand with the networks. A text says why there is no place for it.
 */
export function targets(
  needs: readonly Field[],
  reading: Reading,
  others: (tag: string) => boolean,
): readonly Target[] | string {
  const everywhere = reading.networks.map((drafted): Target => ({ kind: 'network', text: drafted.text, drafted }));
  const without = needs.filter(({ text }) => /^[!#]/.test(text)).map(({ text }) => text.slice(1));
  const unmet = without.find((tag) => !others(tag));
  if (unmet !== undefined) {
    return `it is for all without the tag ${unmet}: write it for the networks, and what class ${unmet} gets instead`;
  }
  const tags = needs.map(({ text }) => text).filter((text) => !/^[!#]/.test(text));
  const inNetworks = tags.filter((tag) => reading.networks.some((network) => network.tags.has(tag)));
  const ofMachines = tags.filter((tag) => !inNetworks.includes(tag));
  const [tag, ...more] = ofMachines;
  const where = reading.networks.filter((network) => inNetworks.every((one) => network.tags.has(one)));
  if (tag === undefined)
    return everywhere.filter((target) => target.kind === 'network' && where.includes(target.drafted));
  if (more.length > 0 || where.length !== reading.networks.length) {
    return `it is for requests with all of the tags ${tags.join(', ')}, which one class cannot ask for`;
  }
  const known = reading.classes.get(tag);
  if (known !== undefined) return [{ kind: 'class', ...known }];
  const profile = reading.profiles.get(tag);
  if (profile !== undefined) return [{ kind: 'profile', ...profile }];
  if (tag === 'known') return 'it is for all machines that are listed: write a profile for the nodes';
  return `no line sets the tag ${tag}`;
}
