import { choiceFor } from '../../boot/methods.ts';
import { type Ipv4, parseIpv4 } from '../../model/ipv4.ts';
import { type Mac, parseMac } from '../../model/mac.ts';
import type { SiteDraft, SiteText } from '../draft.ts';

type NodeText = NonNullable<SiteText['nodes']>[string];
type ProfileText = NonNullable<SiteText['profiles']>[string];

/** A node of the draft, as far as a boot tree is concerned. */
export type DraftNode = {
  readonly name: string;
  readonly macs: readonly Mac[];
  readonly ip?: Ipv4;
  /** What it says itself. */
  readonly own: NodeText;
  /** What makes it start pxelinux: its profile of that name, itself (empty), or nothing. */
  readonly pxelinuxBy?: string;
};

/** The nodes of the draft, in its order. */
export function draftNodes({ site }: SiteDraft): readonly DraftNode[] {
  return Object.entries(site.nodes ?? {}).map(([name, own]) => {
    const written = own.mac === undefined ? [] : Array.isArray(own.mac) ? own.mac : [own.mac];
    const ip = own.ip === undefined ? undefined : parseIpv4(own.ip);
    const by = pxelinuxBy(site, own);
    return {
      name,
      macs: written.map(parseMac).filter((mac) => mac !== undefined),
      ...(ip === undefined ? {} : { ip }),
      own,
      ...(by === undefined ? {} : { pxelinuxBy: by }),
    };
  });
}

function pxelinuxBy(site: SiteText, own: NodeText): string | undefined {
  const layers: [string, ProfileText | undefined][] = [
    ...(own.profiles ?? []).map((name): [string, ProfileText | undefined] => [name, site.profiles?.[name]]),
    ['', own],
  ];
  const said = layers.findLast(([, layer]) => layer?.loader !== undefined || layer?.bootFile !== undefined);
  return said !== undefined && startsPxelinux(said[1]) ? said[0] : undefined;
}

/** Whether it is pxelinux of this tree, and not of a boot server that stays. */
function startsPxelinux(layer: ProfileText | undefined): boolean {
  if (layer?.loader === 'pxelinux') return true;
  return isPxelinux(layer?.bootFile ?? '') && layer?.nextServer === undefined;
}

/** Whether a boot file is pxelinux, by its name. */
export function isPxelinux(file: string): boolean {
  return choiceFor(file) === 'pxelinux';
}
