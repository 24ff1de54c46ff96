import type { z } from 'zod';
import type { Place } from '../errors.ts';
import { plainLine } from '../plainText.ts';
import type { imageSchema } from '../site/imageSchema.ts';
import type { siteSchema } from '../site/schema.ts';
import type { Path } from '../site/yaml.ts';
import { Reason, type Why } from './reason.ts';

/** site.yaml and an image recipe as an operator would write them: what the schema takes in. */
export type SiteText = z.input<typeof siteSchema>;
export type ImageText = z.input<typeof imageSchema>;

/**
 * Whom a remark concerns: `clients` get something else, or nothing, from the new site; `server`: only the server itself works
 * otherwise (its log, its files); `other`: another service's settings, such as DNS, which a boot server has no part in.
 */
export type Weight = 'clients' | 'server' | 'other';

/**
 * What became of one thing in the configuration that is being moved: taken over as it was, taken over with another
 * meaning, or left out; the latter two say why, and what to do where something is to be done.
 */
export type Remark = {
  readonly kind: 'taken' | 'changed' | 'left';
  readonly place: Place;
  /** The thing in words of the old configuration: `option routers 10.0.0.1`. */
  readonly what: string;
  readonly why?: string;
  /** The same, where names stand in it: remarks that differ in these alone have one reason. */
  readonly reason?: Reason;
  /** `clients` if not given. */
  readonly weight?: Weight;
  /** Where in site.yaml, or in a folder that is copied, what was taken over stands now: each path leads to something there. */
  readonly at?: readonly Path[];
};

/** More of a remark than its words. */
export type RemarkMore = Pick<Remark, 'weight' | 'at'>;

/**
 * A site in the making. Every reader of other systems' configuration adds to the same draft, which is then written as a
 * site folder (see write.ts) with a report of all remarks.
 */
export class SiteDraft {
  readonly site: SiteText = {};
  readonly images = new Map<string, ImageText>();
  /** Folders to copy: their path in the new site (`nodes/10-0-0-51`), and the absolute path they are copied from. */
  readonly folders = new Map<string, string>();
  readonly remarks: Remark[] = [];
  readonly #comments = new Map<string, string[]>();

  /** Puts a comment line above the key at `path` of site.yaml; several lines stand in the order in which they came. */
  comment(path: Path, line: string): void {
    const key = JSON.stringify(path);
    this.#comments.set(key, [...(this.#comments.get(key) ?? []), plainLine(line)]);
  }

  /** The comment lines of a key. */
  commentsAt(path: Path): readonly string[] {
    return this.#comments.get(JSON.stringify(path)) ?? [];
  }

  remark(kind: Remark['kind'], place: Place, what: string, why?: Why, more: RemarkMore = {}): void {
    const words = why === undefined ? {} : { why: why.toString() };
    this.remarks.push({ kind, place, what, ...words, ...(why instanceof Reason ? { reason: why } : {}), ...more });
  }
}
