import type { Applied, Drifted } from './news.ts';

/**
 * How a node's files stand. `behind`: the site gives it other files by now; `drift`: somebody changed some there; `failed`: the
 * last attempt to apply its bundle failed; `unknown`: what the site gives it has not been compared yet.
 */
export type Standing = {
  readonly state: 'in sync' | 'behind' | 'drift' | 'failed' | 'unknown';
  /** When the node last told (ms since the epoch), and the bundle that it has. */
  readonly at: number;
  readonly applied: string;
  /** The bundle that the site gives it; `null` where it is not known. */
  readonly current: string | null;
  /** How many files drifted, and the first of them. */
  readonly drifted: number;
  readonly drift: readonly Drifted[];
  /** What failed, in words. */
  readonly failed: string | null;
};

/** What a node told, when. */
export type AppliedAt = Applied & { readonly at: number };

/** Puts together what a node told and what the site gives it (the name of its bundle, where that is known). Pure. */
export function standingOf({ at, sha256, failed, drifted, drift }: AppliedAt, current: string | undefined): Standing {
  const state =
    failed !== undefined
      ? 'failed'
      : current !== undefined && current !== sha256
        ? 'behind'
        : drifted > 0
          ? 'drift'
          : current === undefined
            ? 'unknown'
            : 'in sync';
  return { state, at, applied: sha256, current: current ?? null, drifted, drift, failed: failed ?? null };
}
