import { reason, type Why } from '../reason.ts';
import type { Config, Said } from './config.ts';
import { THIS_CONFIG } from './outcome.ts';
import { type ConfigText, parseConfig } from './parse.ts';
import type { Teller } from './tell.ts';
import type { Tree } from './tree.ts';

type NotRead = { readonly why: Why };

/** The configurations of a tree: each is read once, so that its labels are the same whoever leads to it. */
export class Configs {
  readonly #tree: Tree;
  readonly #teller: Teller;
  /** By the files that they are made of. */
  readonly #known = new Map<string, Promise<Config>>();
  readonly #filesRead = new Set<string>();

  constructor(tree: Tree, teller: Teller) {
    this.#tree = tree;
    this.#teller = teller;
  }

  /** Every file that was read so far, by its path below the root. */
  get filesRead(): ReadonlySet<string> {
    return this.#filesRead;
  }

  /** The configuration in a file, by its path below the root. */
  open(file: string): Promise<Config | NotRead> {
    return this.#made([{ value: THIS_CONFIG, place: { file, line: 1, col: 1 } }], file);
  }

  /**
   * The configuration that these files make together, named as pxelinux asks for them; `main` is what `~` stands for. Those that
   * are not there are left out with a report, unless there is none.
   */
  read(named: readonly Said[], main: string): Promise<Config | NotRead> {
    return this.#made(named, main);
  }

  async #made(named: readonly Said[], main: string): Promise<Config | NotRead> {
    const texts: ConfigText[] = [];
    let why: Why = '';
    for (const said of named) {
      const text = said.value === THIS_CONFIG ? await this.#text(main) : await this.#found(said);
      if ('text' in text) {
        texts.push(text);
        continue;
      }
      why = text.why;
      if (named.length > 1) this.#teller.tell('left', said.place, said.value, why);
    }
    const [first, ...others] = texts;
    if (first === undefined) return { why };
    const key = JSON.stringify(texts.map(({ file }) => file));
    const known = this.#known.get(key) ?? parseConfig([first, ...others], (said) => this.#found(said));
    this.#known.set(key, known);
    const config = await known;
    for (const file of config.files) this.#filesRead.add(file);
    return config;
  }

  async #found(named: Said): Promise<ConfigText | NotRead> {
    const where = await this.#tree.find(named);
    if (where.kind === 'unreachable') return where;
    if (where.kind === 'missing') return { why: reason`there is no file ${where.name} below ${this.#tree.root}` };
    return this.#text(where.name);
  }

  async #text(file: string): Promise<ConfigText | NotRead> {
    const text = await this.#tree.text(file);
    return 'why' in text ? text : { file, text: text.text };
  }
}
