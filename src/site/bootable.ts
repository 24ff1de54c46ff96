import { servedChoices } from '../boot/methods.ts';
import type { Place } from '../errors.ts';
import { type FirmwareMode, firmwareIn } from '../model/firmware.ts';
import type { SiteNode } from '../model/node.ts';
import type { Recipe } from '../model/recipe.ts';
import { Findings } from './finding.ts';
import { foldNames } from './foldNames.ts';
import { gatherNodes } from './nodeEntries.ts';
import type { ProfileSource } from './profiles.ts';
import type { SiteDeclaration } from './schema.ts';
import type { Declared } from './shape.ts';
import type { Site } from './site.ts';

/** Where the site sets how nodes boot. */
export type BootDeclarations = {
  readonly site: Declared<SiteDeclaration>;
  readonly profiles: readonly ProfileSource[];
};

/**
 * Finds nodes that cannot boot. A `loader` that no firmware is given is an error; one that is not for the boot mode that the BMC sets, and an
 * image without a kernel, are warned of.
 */
export function findUnbootable(site: Site, declared: BootDeclarations, findings: Findings): void {
  findLoaders(site, declared, findings);
  const used = new Set([...site.nodes.values()].map(({ image }) => image));
  for (const recipe of site.images.values()) {
    if (!used.has(recipe.name) || !lacksKernel(recipe)) continue;
    const message = `image "${recipe.name}" has no kernel among its packages: it is not built without one`;
    const kernel =
      'suite' in recipe.from && recipe.from.kind === 'ubuntu' ? 'linux-image-generic' : 'linux-image-amd64';
    findings.warn(
      recipe.place,
      message,
      `add ${kernel} to \`packages\`, or linux-image-cloud-amd64 for virtual machines`,
    );
  }
}

function findLoaders(site: Site, declared: BootDeclarations, findings: Findings): void {
  const stuck: { readonly node: SiteNode; readonly why: Why }[] = [];
  for (const node of site.nodes.values()) {
    const why = unbootable(node, site);
    if (why !== undefined) stuck.push({ node, why });
  }
  if (stuck.length === 0) return;
  const placeOf = loaderPlaces(declared);
  const groups = Map.groupBy(
    stuck.map((one) => ({ ...one, place: placeOf(one.node) })),
    ({ why, place }) => JSON.stringify([why, place]),
  );
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const names = foldNames(group.map(({ node }) => node.name)).join(', ');
    const { bootMode } = first.why;
    const fits = [...choicesIn(bootMode)].filter((choice) => choice !== 'auto');
    const what =
      bootMode === undefined
        ? 'no firmware is given that loader today'
        : `the BMC has it boot as ${bootMode}, whose firmware is not given that loader`;
    const find = bootMode === undefined ? findings.error : findings.warn;
    find.call(
      findings,
      first.place,
      `${names} cannot boot with \`loader: ${first.node.loader}\`: ${what}`,
      `write loader: auto, or leave it out${fits.length > 0 ? `; there is also ${fits.join(', ')}` : ''}`,
    );
  }
}

/** `bootMode`: the loader is for firmware of another mode than the BMC's; absent: it is for none. */
type Why = { readonly bootMode?: FirmwareMode };

/** Why no firmware of this node gets a loader; undefined if one does, or if the operator names the boot file. */
function unbootable(node: SiteNode, site: Site): Why | undefined {
  if ((node.image ?? node.boot) === undefined) return undefined;
  const bootMode = node.bmc?.bootMode;
  const isServed = SERVED.has(node.loader);
  if ((isServed && (bootMode === undefined || choicesIn(bootMode).has(node.loader))) || hasBootFile(node, site))
    return undefined;
  return isServed && bootMode !== undefined ? { bootMode } : {};
}

/** The values of `loader:` that suit any firmware, or firmware of this mode. */
function choicesIn(mode?: FirmwareMode) {
  return servedChoices(mode && firmwareIn(mode));
}

const SERVED = choicesIn();

/** Whether the operator names a boot file that this node may get instead of a loader. */
function hasBootFile({ bootFile, network }: SiteNode, { networks, classes }: Site): boolean {
  const own = networks.get(network ?? '');
  const around = own === undefined ? [...networks.values()] : [own];
  return [{ bootFile }, ...classes.values(), ...around, ...around.flatMap(({ pools }) => pools)].some(
    (one) => one.bootFile !== undefined,
  );
}

/** Finds where a node's loader is set: by the node itself, by a range of nodes or by a profile. */
function loaderPlaces({ site, profiles }: BootDeclarations): (node: SiteNode) => Place {
  const entries = new Map(gatherNodes(site, new Findings()).map((node) => [node.name, node.entries]));
  const ofProfile = new Map(profiles.map((profile) => [profile.name, profile]));
  return ({ name, profiles: own }) => {
    const keys = (entries.get(name) ?? []).map(({ key }) => key);
    const key = keys.findLast((one) => site.names(['nodes', one]).includes('loader'));
    if (key !== undefined) return site.place(['nodes', key, 'loader']);
    for (const profile of own.toReversed()) {
      const source = ofProfile.get(profile);
      if (source?.document.names(source.at).includes('loader')) return source.document.place([...source.at, 'loader']);
    }
    return site.keyPlace(['nodes', keys.at(-1) ?? name]);
  };
}

/** Names of kernel packages, and the words of a `run` line that may install one. */
const KERNEL = /^(linux-(image|generic|virtual|lowlatency|kvm|aws|azure|gcp|oem|oracle|raspi)|(proxmox|pve)-.*kernel)/;
const MAY_INSTALL = /\b(apt|apt-get|aptitude|dpkg|linux-image|vmlinuz)\b/;

/** Whether a root of packages gets no kernel. A root from elsewhere may contain one. */
function lacksKernel({ from, packages, removePackages, run }: Recipe): boolean {
  if (!('suite' in from)) return false;
  const kernels = packages.filter((name) => KERNEL.test(name) && !removePackages.includes(name));
  return kernels.length === 0 && !run.some((line) => MAY_INSTALL.test(line));
}
