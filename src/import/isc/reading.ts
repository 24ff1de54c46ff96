import { type Place, ReveilleError } from '../../errors.ts';
import type { Ipv4 } from '../../net/ipv4.ts';
import type { Remark, SiteDraft } from '../draft.ts';
import { Problems } from '../invalid.ts';
import { OptionTable } from './optionTable.ts';
import type { Resolved } from './optionValues.ts';
import type { Outline } from './scopes.ts';
import { show } from './show.ts';
import type { Statement } from './tree.ts';

/** What the configuration does not say of itself. */
export type Surroundings = {
  /** The interface on which requests arrive, if the operator names it. */
  readonly interface?: string;
  /** The addresses of this machine's interfaces. */
  readonly addresses: ReadonlyMap<string, readonly { readonly ip: Ipv4 }[]>;
  /** Whether the boot server's files move here too: then nodes boot by loader and entry, not by a file's name. */
  readonly tree: boolean;
  /** Addresses of the host names that stand where an address could. */
  readonly resolved: Resolved;
};

/** What all parts of the translation share: where the draft goes, and what the configuration says as a whole. */
export class Reading {
  readonly draft: SiteDraft;
  readonly around: Surroundings;
  readonly outline: Outline;
  readonly options: OptionTable;
  readonly problems = new Problems();
  readonly #told = new Set<string>();

  constructor(outline: Outline, around: Surroundings, draft: SiteDraft) {
    this.outline = outline;
    this.around = around;
    this.draft = draft;
    this.options = new OptionTable(outline.definitions);
  }

  /** Runs `read`; a problem is noted, and what was to be read is absent. */
  attempt<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (problem) {
      if (!(problem instanceof ReveilleError)) throw problem;
      this.problems.add(problem);
      return undefined;
    }
  }

  /** Tells what became of a statement; the same thing of one statement once, however many scopes it counts in. */
  tell(kind: Remark['kind'], statement: Statement, why?: string): void {
    this.tellOf(kind, statement.place, show(statement), why);
  }

  tellOf(kind: Remark['kind'], place: Place, what: string, why?: string): void {
    const key = JSON.stringify([kind, place, what, why]);
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.draft.remark(kind, place, what, why);
  }
}
