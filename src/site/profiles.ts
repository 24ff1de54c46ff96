import type { Place } from '../errors.ts';
import type { OverlayOrigin, RoleSettings } from '../model/node.ts';
import { readBmc, refuseRange } from './bmc.ts';
import { didYouMean, type Findings, suggestion } from './finding.ts';
import { NAME_PATTERN } from './forms.ts';
import { LOCAL } from './menu.ts';
import type { Settings } from './merge.ts';
import { readOptions } from './options.ts';
import { readReplacements } from './replace.ts';
import type { ProfileDeclaration } from './schema.ts';
import { checkSecretNames } from './secrets.ts';
import type { Declared } from './shape.ts';
import type { Path } from './yaml.ts';

/** What profiles and nodes may refer to by name. */
export type Referable = {
  readonly images: readonly string[];
  readonly overlays: readonly string[];
  /** The menu's entries; absent if what was declared could not be read. */
  readonly entries: readonly string[] | undefined;
  /** The shipped overlays; a site's own overlay of the same name replaces one. */
  readonly shippedOverlays: readonly string[];
  readonly secrets: readonly string[];
  readonly networks: readonly string[];
};

/** Where a profile is declared: in its own file, or as an entry of site.yaml. */
export type ProfileSource = {
  readonly name: string;
  readonly declared: ProfileDeclaration;
  readonly document: Declared<unknown>;
  readonly at: Path;
};

/** Profiles by name. */
export class Profiles {
  readonly #settings = new Map<string, Settings>();
  readonly #names: readonly string[];
  readonly #known: ReadonlySet<string>;

  /** `names` are all that are declared, those included whose form is wrong: a node may refer to them. */
  constructor(sources: readonly ProfileSource[], names: readonly string[], known: Referable, findings: Findings) {
    this.#names = names;
    this.#known = new Set(names);
    for (const { name, declared, document, at } of sources) {
      if (!NAME_PATTERN.test(name)) {
        findings.error(
          document.keyPlace(at),
          `"${name}" cannot name a profile`,
          'use letters, digits, ".", "_" and "-"',
        );
      }
      refuseRange(declared.bmc, document, at, findings);
      this.#settings.set(name, readSettings(declared, document, at, `profile ${name}`, known, findings));
    }
  }

  /** The settings of a profile; of an unknown one, a finding and none. */
  get(name: string, place: () => Place, findings: Findings): Settings {
    if (!this.#known.has(name)) {
      findings.error(place(), `there is no profile "${name}"`, suggestion(name, this.#names, 'profiles'));
    }
    return this.#settings.get(name) ?? NO_SETTINGS;
  }
}

/** The settings of an entry that sets nothing. */
export const NO_SETTINGS: RoleSettings = {
  kernelArgs: [],
  overlays: [],
  overlayOrigins: new Map(),
  replace: [],
  services: [],
  vars: {},
  options: new Map(),
};

/** The settings of a profile or node, at `at` of `document` (`by` names it): names looked up, options in wire form. */
export function readSettings(
  { options, ...declared }: ProfileDeclaration,
  document: Declared<unknown>,
  at: Path,
  by: string,
  known: Referable,
  findings: Findings,
): Settings {
  const { image, boot, network, overlays, kernelArgs } = declared;
  if (network !== undefined && !known.networks.includes(network)) {
    const hint = suggestion(network, known.networks, 'networks') ?? 'declare it under networks:';
    findings.error(document.place([...at, 'network']), `there is no network "${network}"`, hint);
  }
  if (image !== undefined && !known.images.includes(image)) {
    const hint = suggestion(image, known.images, 'images') ?? `write its recipe, images/${image}.yaml`;
    findings.error(document.place([...at, 'image']), `there is no image "${image}"`, hint);
  }
  checkSecretNames(declared.vars, document, [...at, 'vars'], known.secrets, findings);
  checkBoot(declared, document, at, known, findings);
  const overlayOrigins = new Map<string, OverlayOrigin>();
  for (const [i, overlay] of overlays.entries()) {
    const place = document.place([...at, 'overlays', i]);
    overlayOrigins.set(overlay, { by, place });
    if (known.overlays.includes(overlay) || known.shippedOverlays.includes(overlay)) continue;
    findings.error(place, `there is no overlay "${overlay}"`, overlayHint(overlay, known));
  }
  for (const [i, word] of kernelArgs.entries()) {
    const own = OWN_KERNEL_WORDS.find((start) => word.split(/\s+/).some((one) => one.startsWith(start)));
    if (own === undefined) continue;
    findings.error(document.place([...at, 'kernelArgs', i]), `${own} is added for each node by itself`, 'leave it out');
  }
  return {
    ...(image === undefined && boot !== undefined ? { boot } : {}),
    ...(image === undefined ? {} : { image }),
    ...(network === undefined ? {} : { network }),
    ...(declared.loader === undefined ? {} : { loader: declared.loader }),
    ...(declared.nextServer === undefined ? {} : { nextServer: declared.nextServer }),
    ...(declared.bootFile === undefined ? {} : { bootFile: declared.bootFile }),
    kernelArgs,
    overlays,
    overlayOrigins,
    replace: readReplacements(declared.replace, document, [...at, 'replace'], by, findings),
    services: declared.services,
    ...(declared.settingsLimit === undefined ? {} : { settingsSeconds: declared.settingsLimit }),
    vars: declared.vars,
    ...(declared.bmc === undefined
      ? {}
      : { bmc: readBmc(declared.bmc, document, [...at, 'bmc'], known.secrets, findings) }),
    options: readOptions(options, [...at, 'options'], document, findings),
  };
}

function checkBoot(
  { image, boot, kernelArgs }: Omit<ProfileDeclaration, 'options'>,
  document: Declared<unknown>,
  at: Path,
  { entries }: Referable,
  findings: Findings,
): void {
  if (boot === undefined) return;
  const place = () => document.place([...at, 'boot']);
  if (image !== undefined) {
    findings.error(place(), '`boot` and `image` stand side by side', 'a machine boots one of the two: leave one out');
  } else if (kernelArgs.length > 0) {
    const message = 'kernelArgs are not added to the words of a menu entry';
    findings.warn(document.place([...at, 'kernelArgs']), message, `write them into menu.entries.${boot}.args`);
  }
  if (boot === LOCAL || entries === undefined || entries.includes(boot)) return;
  findings.error(place(), `there is no menu entry "${boot}"`, suggestion(boot, [...entries, LOCAL], 'entries'));
}

/** The hint for the unknown `overlay`. */
function overlayHint(overlay: string, { overlays, shippedOverlays }: Referable): string {
  const near = didYouMean(overlay, [...overlays, ...shippedOverlays]);
  if (near !== undefined) return near;
  const own = overlays.length === 0 ? '' : `; the site's own: ${overlays.join(', ')}`;
  return `make the folder overlays/${overlay}, or see \`reveille overlay list\`${own}`;
}

/** Words that every node's kernel line gets. */
const OWN_KERNEL_WORDS = ['TFTP=', 'BOOTIF=', 'reveille.server=', 'reveille.node=', 'reveille.hold='];
