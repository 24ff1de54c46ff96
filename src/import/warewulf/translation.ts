import type { Place } from '../../errors.ts';
import { formatIpv4 } from '../../model/ipv4.ts';
import { type Mac, parseMac } from '../../model/mac.ts';
import type { Vars } from '../../model/node.ts';
import { quoted } from '../../site/finding.ts';
import { NAME_PATTERN } from '../../site/forms.ts';
import type { Path } from '../../site/yaml.ts';
import type { ImportContext } from '../context.ts';
import type { SiteDraft, SiteText } from '../draft.ts';
import { invalid, type Problems } from '../invalid.ts';
import { Names } from '../isc/meaning/names.ts';
import { reason, reasons, type Why } from '../reason.ts';
import { type Devices, deviceVars, mergedDevices, primaryOf } from './devices.ts';
import { argsOf, unjoined } from './kernelArgs.ts';
import type { Layer, YamlMap } from './layers.ts';
import { Networks } from './networks.ts';

type NodeText = NonNullable<SiteText['nodes']>[string];

/** All that nodes.conf says. */
export type Parts = {
  readonly draft: SiteDraft;
  readonly problems: Problems;
  readonly profiles: ReadonlyMap<string, Layer>;
  readonly nodes: ReadonlyMap<string, Layer>;
  readonly context: Omit<ImportContext, 'tree'>;
  /** WW_INTERNAL of versions 4.3 to 4.5: 43 to 45; NaN in others. */
  readonly version: number;
  /** Where the nodes begin. */
  readonly place: Place;
};

/** A node with all that its profiles say. */
type Whole = {
  readonly id: string;
  readonly layer: Layer;
  readonly used: readonly string[];
  /** Those of its profiles, then its own. */
  readonly layers: readonly Layer[];
  readonly devices: Devices;
  readonly primary: string;
  readonly mac: Mac | undefined;
};

/** Writes the layers that were read as profiles, nodes and networks of the draft. */
export class Translation {
  readonly #parts: Parts;
  readonly #names = new Names();
  /** What profiles are called here: as in Warewulf, but for names that a site has none of. */
  readonly #profileNames: ReadonlyMap<string, string>;
  readonly #networks: Networks;
  readonly #isNew: boolean;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#networks = new Networks(parts.draft, parts.context, parts.version);
    const layers = [...parts.profiles.values(), ...parts.nodes.values()];
    this.#isNew = Number.isNaN(parts.version) && layers.some(({ isNew }) => isNew);
    this.#profileNames = namesOf([...parts.profiles.keys()]);
  }

  write(): void {
    const { draft, nodes, profiles } = this.#parts;
    draft.site.networks = {};
    draft.site.profiles = {};
    draft.site.nodes = {};
    const all = [...nodes].map(([id, layer]) => this.#whole(id, layer));
    const wholes = this.#ofOwnCards(all.filter(({ mac }) => mac !== undefined));
    for (const { id, layer } of all.filter(({ mac }) => mac === undefined)) this.#tellWithoutMac(id, layer);
    // Networks whose netmask is known come before guesses at those that have none.
    for (const { primary, devices, layer } of wholes) this.#networks.learn(primary, devices[primary], layer.place);

    const apart = unjoined(
      wholes.map(({ layers }) => layers),
      this.#isNew,
    );
    for (const [name, layer] of profiles) this.#profile(name, layer, apart, wholes);
    for (const whole of wholes) this.#node(whole, apart);
    for (const [name, layer] of profiles) this.#tellProfile(name, layer, apart, wholes);
    this.#tellImages([...profiles.values(), ...nodes.values()]);
    this.#tellNoNetwork();
    for (const key of ['networks', 'profiles', 'nodes'] as const) {
      if (Object.keys(draft.site[key] ?? {}).length === 0) delete draft.site[key];
    }
  }

  #whole(id: string, layer: Layer): Whole {
    const used = this.#profilesOf(id, layer);
    const layers = [...used.flatMap((name) => this.#parts.profiles.get(name) ?? []), layer];
    const devices = mergedDevices(layers);
    const primary = primaryOf(layers, devices);
    const { hwaddr } = devices[primary]?.fields ?? {};
    return {
      id,
      layer,
      used,
      layers,
      devices,
      primary,
      mac: hwaddr === undefined ? undefined : this.#mac(hwaddr, layer),
    };
  }

  /** The nodes whose card is one and theirs alone: two of one card cannot be told apart. */
  #ofOwnCards(wholes: readonly Whole[]): readonly Whole[] {
    const owners = new Map<Mac, string>();
    return wholes.filter(({ id, layer, mac = '' as Mac }) => {
      const owner = owners.get(mac);
      const leave = (why: Why): false => {
        this.#parts.draft.remark('left', layer.place, `node ${id}`, why);
        return false;
      };
      if (owner !== undefined) return leave(reason`node ${owner} has its MAC address already`);
      if (!isOfOneCard(mac)) return leave(reason`${mac} is no card's address: write it with its real one as a node`);
      owners.set(mac, id);
      return true;
    });
  }

  #tellWithoutMac(id: string, { place, devices }: Layer): void {
    const why =
      Object.keys(devices).length === 0
        ? 'it has no network device: start the machine, and adopt it with `reveille node adopt`'
        : 'its MAC address is not known: start the machine, and adopt it with `reveille node adopt`';
    this.#parts.draft.remark('left', place, `node ${id}`, why);
  }

  #profile(name: string, layer: Layer, apart: ReadonlySet<Layer>, wholes: readonly Whole[]): void {
    const users = wholes.filter(({ used }) => used.includes(name));
    const isBooted = (device: string) =>
      users.length > 0 &&
      users.every(({ primary, ...whole }) => primary === device && this.#networks.has(whole.devices[primary]));
    const text = this.#settings(layer, apart.has(layer) ? [] : layer.kernelArgs, isBooted);
    if (Object.keys(text).length === 0) return;
    this.#parts.draft.site.profiles ??= {};
    const called = this.#called(name);
    this.#parts.draft.site.profiles[called] = text;
    this.#comment(['profiles', called], layer);
    this.#tellOverlays(layer, ['profiles', called]);
  }

  /** What of a layer stands the same way in a profile or a node. `isBooted`: whether nodes boot from a device. */
  #settings(
    layer: Layer,
    kernelArgs: readonly string[],
    isBooted: (device: string) => boolean,
  ): { kernelArgs?: string[]; overlays?: string[]; vars?: Vars } {
    const devices = Object.entries(layer.devices).flatMap(([name, device]) => {
      const kept = deviceVars(device, isBooted(name));
      return kept === undefined ? [] : [[name, kept] as const];
    });
    const vars: YamlMap = {
      ...layer.vars,
      ...(devices.length === 0 ? {} : { networkDevices: Object.fromEntries(devices) }),
    };
    const overlays = [...new Set(layer.overlays.map(({ name }) => name))];
    return {
      ...(kernelArgs.length === 0 ? {} : { kernelArgs: [...kernelArgs] }),
      ...(overlays.length === 0 ? {} : { overlays }),
      ...(Object.keys(vars).length === 0 ? {} : { vars: vars as Vars }),
    };
  }

  #called(profile: string): string {
    return this.#profileNames.get(profile) ?? profile;
  }

  #tellOverlays({ overlays }: Layer, owner: Path): void {
    for (const { place, what } of overlays) {
      this.#parts.draft.remark('taken', place, what, undefined, { at: [[...owner, 'overlays']] });
    }
  }

  #tellProfile(name: string, layer: Layer, apart: ReadonlySet<Layer>, wholes: readonly Whole[]): void {
    const { draft } = this.#parts;
    const called = this.#called(name);
    const isThere = draft.site.profiles?.[called] !== undefined;
    const what = `profile ${name}`;
    if (apart.has(layer)) {
      draft.remark(
        'changed',
        layer.place,
        what,
        'its kernel words stand with its nodes, where those of others replace them',
      );
    } else if (isThere && called !== name)
      draft.remark('changed', layer.place, what, reason`it is called ${called} here`);
    else if (isThere) draft.remark('taken', layer.place, what, undefined, { at: [['profiles', name]] });
    else if (Object.keys(layer.devices).length === 0 && layer.comment === undefined) return;
    else if (wholes.some(({ used }) => used.includes(name))) {
      draft.remark('left', layer.place, what, 'no profile is needed: what it says of devices stands with its nodes', {
        weight: 'server',
      });
    } else
      draft.remark('left', layer.place, what, 'it says nothing that a profile has, and no node has it', {
        weight: 'server',
      });
  }

  /** Images are not carried over: each is in the report once, where it is first named. */
  #tellImages(layers: readonly Layer[]): void {
    const seen = new Set<string>();
    for (const { image, place } of layers) {
      if (image === undefined || seen.has(image)) continue;
      seen.add(image);
      const why = reason`pack its root as a tar, write images/${image}.yaml with \`from: { tar: FILE }\`, then \`image: ${image}\``;
      this.#parts.draft.remark('left', place, `image ${image}`, why);
    }
  }

  #tellNoNetwork(): void {
    const { draft, place } = this.#parts;
    if (Object.keys(draft.site.networks ?? {}).length > 0) return;
    const why =
      'no node has an address with a netmask, and a site without networks answers no machine: write `networks:`';
    draft.remark('left', place, 'networks', why);
  }

  #node({ id, layer, used, layers, devices, primary, mac }: Whole, apart: ReadonlySet<Layer>): void {
    const { draft } = this.#parts;
    const [host = '', ...domain] = id.split('.');
    const name = this.#names.take(host, id);
    const device = devices[primary];
    const placed = this.#networks.place(primary, device, layer.place, this.#parts.problems);
    const written = used
      .map((profile) => this.#called(profile))
      .filter((profile) => Object.hasOwn(draft.site.profiles ?? {}, profile));
    const isJoined = !layers.some((one) => apart.has(one)) && !layer.kernelArgs.some((word) => word.startsWith('~'));
    const text = this.#settings(
      layer,
      isJoined ? layer.kernelArgs : argsOf(layers, this.#isNew),
      (one) => one === primary && placed.isWhole,
    );
    const node: NodeText = {
      mac: mac ?? '',
      ...(placed.ip === undefined ? {} : { ip: formatIpv4(placed.ip) }),
      ...(written.length === 0 ? {} : { profiles: written }),
      ...text,
      ...(Object.keys(placed.options).length === 0 ? {} : { options: placed.options }),
    };
    draft.site.nodes ??= {};
    draft.site.nodes[name] = node;
    this.#comment(['nodes', name], layer);
    this.#tellOverlays(layer, ['nodes', name]);
    const others = Object.keys(devices).filter((one) => one !== primary);
    const notes = [
      ...(name === id ? [] : [reason`it is called ${name}`]),
      ...(domain.length > 0 ? ['write the domain for its network'] : []),
      ...(others.length === 0
        ? []
        : [reason`the devices ${others.join(', ')} are kept in \`vars.networkDevices\` for templates`]),
      ...placed.notes,
    ];
    const what = `node ${id}`;
    if (notes.length === 0) draft.remark('taken', layer.place, what, undefined, { at: [['nodes', name]] });
    else draft.remark('changed', layer.place, what, reasons(notes));
  }

  /** The profiles of a node in the order of merging, each once; profiles of profiles in front of them. */
  #profilesOf(id: string, layer: Layer): readonly string[] {
    const seen = new Set<string>();
    const names: string[] = [];
    const add = (name: string) => {
      if (name.startsWith('~')) names.push(name);
      if (name.startsWith('~') || seen.has(name)) return;
      seen.add(name);
      const profile = this.#parts.profiles.get(name);
      if (profile === undefined) {
        const why = reason`there is no such profile, which Warewulf passes over: node ${id} is written without it`;
        this.#parts.draft.remark('left', layer.place, `${id}: profile ${name}`, why);
        return;
      }
      for (const inner of profile.profiles ?? []) add(inner);
      names.push(name);
    };
    // Before 4.6 a node without any has the profile `default`.
    const hasDefault = !this.#isNew && this.#parts.profiles.has('default');
    const said =
      layer.profiles === undefined || layer.profiles.length === 0 ? (hasDefault ? ['default'] : []) : layer.profiles;
    for (const name of said) add(name);
    const gone = new Set(names.filter((name) => name.startsWith('~')).map((name) => name.slice(1)));
    return names.filter((name) => !name.startsWith('~') && !gone.has(name));
  }

  #mac(text: string, { place }: Layer): Mac | undefined {
    const mac = parseMac(text);
    if (mac === undefined) this.#parts.problems.add(invalid(place, `${quoted(text)} is not a MAC address`));
    return mac;
  }

  #comment(at: readonly string[], { place, comment, image }: Layer): void {
    const { draft } = this.#parts;
    draft.comment(at, [`${place.file}:${place.line}`, ...(comment === undefined ? [] : [comment])].join(' '));
    if (image !== undefined) draft.comment(at, `image ${image} in Warewulf`);
  }
}

/** Groups of machines have an odd first byte, and no card has zeros alone. */
function isOfOneCard(mac: Mac): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0 && /[1-9a-f]/.test(mac);
}

function namesOf(profiles: readonly string[]): ReadonlyMap<string, string> {
  const fit = profiles.filter((name) => NAME_PATTERN.test(name));
  const names = new Names();
  for (const name of fit) names.take(name);
  return new Map(profiles.map((name) => [name, fit.includes(name) ? name : names.take(name, 'profile')]));
}
