import type { Place } from '../../errors.ts';
import { didYouMean, inWords } from '../../site/finding.ts';
import { valueAt } from '../../site/shape.ts';
import type { Path, YamlFile } from '../../site/yaml.ts';
import type { SiteDraft } from '../draft.ts';
import { invalid, type Problems } from '../invalid.ts';
import { DEVICE_KEYS, KEYS, OVERLAYS } from './keys.ts';

export type YamlMap = { readonly [key: string]: unknown };

/** A network device as one layer, or all of them together, describe it: every value as text. */
export type Device = { readonly [key: string]: string };

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
    for (const key of ['version', 'override']) {
      if (key in kernel) this.#left([...at, 'kernel', key], `kernel ${key}`, 'a node boots the kernel of its image');
    }
    this.#overlays([...at, 'runtime overlay']);
    this.#overlays([...at, 'system overlay']);
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
    };
  }

  #devices(at: Path): Layer['devices'] {
    const devices: { [name: string]: Device } = {};
    for (const name of Object.keys(this.mapAt(at))) {
      const device: { [key: string]: string } = {};
      for (const key of Object.keys(this.mapAt([...at, name]))) {
        const path = [...at, name, key];
        if (!DEVICE_KEYS.has(key)) this.#unknown(key, path, [...DEVICE_KEYS]);
        else if (key === 'tags') {
          for (const tag of Object.keys(this.mapAt(path))) {
            const text = this.#text([...path, tag]);
            if (text !== undefined) device[`tag ${tag}`] = text;
          }
        } else if (key !== 'tagsdel') {
          const text = this.#text(path);
          if (text !== undefined) device[key] = text;
        }
      }
      devices[name] = device;
    }
    return devices;
  }

  /** What templates may want: tags (`keys` in older files), the cluster, the asset key, and of IPMI what is not secret. */
  #vars(at: Path): YamlMap {
    const map = this.mapAt(at);
    const ipmi = { ...this.mapAt([...at, 'ipmi']) };
    if ('password' in ipmi) {
      delete ipmi.password;
      this.#left([...at, 'ipmi', 'password'], 'ipmi password', 'a site is kept in Git: keep passwords elsewhere');
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

  #overlays(at: Path): void {
    for (const name of this.#texts(at).flatMap((text) => text.split(','))) {
      const what = `${at.at(-1)} ${name}`;
      const fate = OVERLAYS.get(name);
      if (fate === 'taken') this.#draft.remark('taken', this.#file.place(at), what, 'every node is given it');
      else this.#left(at, what, fate?.left ?? `copy its files to overlays/${name}, rewrite its templates, and name it`);
    }
  }

  #checkKey(key: string, path: Path): void {
    const fate = KEYS.get(key);
    if (fate === undefined) this.#unknown(key, path, [...KEYS.keys()]);
    else if (fate !== 'taken') this.#left(path, key, fate.left);
  }

  #unknown(key: string, path: Path, known: readonly string[]): void {
    const message = `Warewulf has no key ${JSON.stringify(key)} here`;
    this.#problems.add(invalid(this.#file.keyPlace(path), message, didYouMean(key, known)));
  }

  #left(path: Path, what: string, why: string): void {
    this.#draft.remark('left', this.#file.keyPlace(path), `${path[1] ?? ''}: ${what}`, why);
  }

  /** Text, a number or a yes or no, as text; nothing for nothing and for the `--` and `UNDEF` that stand for it. */
  #text(path: Path): string | undefined {
    const value = valueAt(this.#file.value, path);
    if (value === undefined || value === null || value === '' || value === '--' || value === 'UNDEF') return undefined;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
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
