import type { Place } from '../../errors.ts';
import { didYouMean, inWords } from '../../site/finding.ts';
import { valueAt } from '../../site/shape.ts';
import type { Path, YamlFile } from '../../site/yaml.ts';
import type { SiteDraft, Weight } from '../draft.ts';
import { invalid, type Problems } from '../invalid.ts';
import { reason, type Why } from '../reason.ts';
import { DEVICE_KEYS, FLAT_IPMI, KEYS, OVERLAYS, SAME_OVERLAYS, UNSET } from './keys.ts';

export type YamlMap = { readonly [key: string]: unknown };

/** A network device as one layer, or all of them together, describe it: every value as text. */
export type Device = {
  readonly fields: { readonly [key: string]: string };
  readonly tags: { readonly [name: string]: string };
};

/** What a profile or a node says, in the forms of all versions read into one. */
export type Layer = {
  readonly at: Path;
  readonly place: Place;
  readonly profiles?: readonly string[];
  readonly comment?: string;
  readonly image?: string;
  readonly kernelArgs: readonly string[];
  readonly primary?: string;
  readonly devices: { readonly [name: string]: Device };
  readonly vars: YamlMap;
  /** Overlays that have the same name in the new site, each where it is named. */
  readonly overlays: readonly { readonly name: string; readonly place: Place; readonly what: string }[];
  /** Whether it is written as version 4.6 and later write it. */
  readonly isNew: boolean;
};

/** Reads layers of one file; what cannot be read is noted among the problems, what has no place among the remarks. */
export class Layers {
  readonly #file: YamlFile;
  readonly #draft: SiteDraft;
  readonly #problems: Problems;

  constructor(file: YamlFile, draft: SiteDraft, problems: Problems) {
    this.#file = file;
    this.#draft = draft;
    this.#problems = problems;
  }

  /** The map at `path`, empty if nothing stands there. */
  mapAt(path: Path): YamlMap {
    const value = valueAt(this.#file.value, path);
    if (value === null || value === undefined) return {};
    if (typeof value === 'object' && !Array.isArray(value)) return value as YamlMap;
    this.#problems.add(invalid(this.#file.place(path), `expected a map, found ${inWords(value)}`));
    return {};
  }

  read(at: Path): Layer {
    const map = this.mapAt(at);
    for (const key of Object.keys(map)) this.#checkKey(key, [...at, key]);
    const kernel = this.mapAt([...at, 'kernel']);
    for (const key of Object.keys(kernel)) {
      if (key === 'version' || key === 'override') {
        if (this.#text([...at, 'kernel', key]) === undefined) continue;
        this.#left([...at, 'kernel', key], `kernel ${key}`, 'a node boots the kernel of its image');
      } else if (key !== 'args') this.#unknown(key, [...at, 'kernel', key], ['version', 'override', 'args']);
    }
    this.#flags(at);
    const { comment, primary, image } = {
      comment: this.#text([...at, 'comment']),
      primary: this.#text([...at, 'primary network']),
      image: this.#text([...at, 'image name']) ?? this.#text([...at, 'container name']),
    };
    const profiles = map.profiles === undefined ? undefined : this.#texts([...at, 'profiles']);
    return {
      at,
      place: this.#file.keyPlace(at),
      ...(profiles === undefined ? {} : { profiles }),
      ...(comment === undefined ? {} : { comment }),
      ...(image === undefined ? {} : { image }),
      ...(primary === undefined ? {} : { primary }),
      kernelArgs: [...this.#texts([...at, 'kernel', 'args']), ...this.#texts([...at, 'kernel args'])].flatMap((args) =>
        args.split(/\s+/).filter((arg) => arg !== ''),
      ),
      devices: this.#devices([...at, 'network devices']),
      vars: this.#vars(at),
      overlays: ['system overlay', 'runtime overlay'].flatMap((key) => this.#overlays([...at, key])),
      isNew: 'image name' in map || 'resources' in map || Array.isArray(kernel.args),
    };
  }

  #devices(at: Path): Layer['devices'] {
    const devices: { [name: string]: Device } = {};
    for (const name of Object.keys(this.mapAt(at))) {
      const fields: { [key: string]: string } = {};
      for (const key of Object.keys(this.mapAt([...at, name]))) {
        const path = [...at, name, key];
        if (!DEVICE_KEYS.has(key)) this.#unknown(key, path, [...DEVICE_KEYS]);
        else if (key !== 'tags' && key !== 'tagsdel') {
          const text = this.#text(path);
          if (text !== undefined) fields[key] = text;
        }
      }
      devices[name] = { fields, tags: this.#tags([...at, name, 'tags']) };
    }
    return devices;
  }

  #tags(at: Path): Device['tags'] {
    const tags: { [name: string]: string } = {};
    for (const name of Object.keys(this.mapAt(at))) {
      const text = this.#text([...at, name]);
      if (text !== undefined) tags[name] = text;
    }
    return tags;
  }

  /** What templates may want: tags (`keys` in older files), the cluster, the asset key, and of IPMI what is not secret. */
  #vars(at: Path): YamlMap {
    const map = this.mapAt(at);
    const flat = [...FLAT_IPMI].flatMap(([key, name]) => {
      const text = this.#text([...at, key]);
      return text === undefined ? [] : [[name, text] as const];
    });
    const ipmi: { [key: string]: unknown } = { ...Object.fromEntries(flat), ...this.mapAt([...at, 'ipmi']) };
    for (const [key, value] of Object.entries(ipmi)) if (UNSET.has(String(value ?? ''))) delete ipmi[key];
    if ('password' in ipmi) {
      delete ipmi.password;
      const path = [...at, 'ipmi password'];
      const where = this.#file.value !== undefined && 'ipmi password' in map ? path : [...at, 'ipmi', 'password'];
      this.#left(where, 'ipmi password', 'a site is kept in Git: write `bmc:` with the password as a secret');
    }
    const cluster = this.#text([...at, 'cluster name']);
    const asset = this.#text([...at, 'asset key']);
    return {
      ...(cluster === undefined ? {} : { cluster }),
      ...(asset === undefined ? {} : { assetKey: asset }),
      ...this.mapAt([...at, 'keys']),
      ...this.mapAt([...at, 'tags']),
      ...(Object.keys(ipmi).length === 0 ? {} : { ipmi }),
      ...(map.resources === undefined || map.resources === null ? {} : { resources: map.resources }),
    };
  }

  #flags(at: Path): void {
    if (this.#isSet([...at, 'disabled'])) {
      const why = 'Warewulf shows it and serves the node all the same: take it out of `nodes:` if it is to get nothing';
      this.#left([...at, 'disabled'], 'disabled', why);
    }
    if (this.#isSet([...at, 'discoverable'])) {
      const why =
        '`reveille node strangers` lists the machines that tried to boot; `reveille node adopt` makes nodes of them';
      this.#left([...at, 'discoverable'], 'discoverable', why, 'server');
    }
  }

  #isSet(path: Path): boolean {
    return /^(true|yes|y|1|t)$/i.test(this.#text(path) ?? '');
  }

  #overlays(at: Path): Layer['overlays'] {
    const names = this.#texts(at).flatMap((text) => text.split(',').map((name) => name.trim()));
    return names.flatMap((name) => {
      const what = `${at.at(-1)} ${name}`;
      if (SAME_OVERLAYS.has(name)) return [{ name, place: this.#file.place(at), what: `${at[1] ?? ''}: ${what}` }];
      const why = OVERLAYS.get(name) ?? reason`copy its files to overlays/${name}, rewrite its templates, and name it`;
      this.#left(at, what, name.startsWith('~') ? 'nothing is taken away from profiles: leave it out of theirs' : why);
      return [];
    });
  }

  #checkKey(key: string, path: Path): void {
    const treatment = KEYS.get(key);
    if (treatment === undefined) this.#unknown(key, path, [...KEYS.keys()]);
    else if (treatment !== 'read' && !UNSET.has(String(valueAt(this.#file.value, path) ?? ''))) {
      this.#left(path, key, treatment.left, treatment.weight);
    }
  }

  /** Warewulf reads what it knows, and passes the rest over. */
  #unknown(key: string, path: Path, known: readonly string[]): void {
    const hint = didYouMean(key, known);
    this.#left(path, key, reason`Warewulf has no such key and passes it over${hint === undefined ? '' : `: ${hint}`}`);
  }

  #left(path: Path, what: string, why: Why, weight?: Weight): void {
    const more = weight === undefined ? {} : { weight };
    this.#draft.remark('left', this.#file.keyPlace(path), `${path[1] ?? ''}: ${what}`, why, more);
  }

  /** Text, a number or a yes or no, as text; nothing for nothing and for the words that stand for it. */
  #text(path: Path): string | undefined {
    const value = valueAt(this.#file.value, path);
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      return UNSET.has(String(value)) ? undefined : String(value);
    }
    this.#problems.add(invalid(this.#file.place(path), `expected text, found ${inWords(value)}`));
    return undefined;
  }

  /** One text or a list of them. */
  #texts(path: Path): readonly string[] {
    const value = valueAt(this.#file.value, path);
    if (!Array.isArray(value)) return [this.#text(path)].filter((text) => text !== undefined);
    return value.map((_, i) => this.#text([...path, i])).filter((text) => text !== undefined);
  }
}
