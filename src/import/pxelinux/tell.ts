import type { Place } from '../../errors.ts';
import type { Remark, RemarkMore, SiteDraft } from '../draft.ts';
import { Reason, type Why } from '../reason.ts';
import { hideSecrets } from './hideSecrets.ts';

/** A line of a configuration for a report and a terminal: no secret and no control character is in it. */
export function shownText(line: string): string {
  return hideSecrets(line).replace(/\p{Cc}+/gu, ' ');
}

function shownWhy(why: Why): Why {
  return why instanceof Reason ? why.shown(shownText) : shownText(why);
}

/** Adds remarks to a draft: no secret is in one, and what several files include is reported once. */
export class Teller {
  readonly #draft: SiteDraft;
  readonly #reported = new Set<string>();

  constructor(draft: SiteDraft) {
    this.#draft = draft;
  }

  tell(kind: Remark['kind'], place: Place, what: string, why?: Why, more: RemarkMore = {}): void {
    const [shown, because] = [shownText(what), why === undefined ? undefined : shownWhy(why)];
    const key = JSON.stringify([kind, place, shown, because?.toString()]);
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    this.#draft.remark(kind, place, shown, because, more);
  }
}
