/** Where in a template something stands: line and column count from 1. */
export type At = { readonly line: number; readonly col: number };

/** Why a template cannot be read or rendered, without the words that need its text. */
export type ProblemKind =
  | 'unclosed'
  | 'no-value'
  | 'no-filter'
  | 'no-other-templates'
  | 'too-much-work'
  | 'too-long'
  | 'too-deep'
  | 'other';

/** What is wrong with a template; `at` is absent until the evaluation adds the place. */
export class TemplateProblem extends Error {
  readonly kind: ProblemKind;
  readonly at: At | undefined;

  constructor(kind: ProblemKind, message: string, at?: At) {
    super(message);
    this.name = 'TemplateProblem';
    this.kind = kind;
    this.at = at;
  }
}

/** A problem of kind `other` at a place that the evaluation fills in. */
export function problem(message: string): TemplateProblem {
  return new TemplateProblem('other', message);
}
