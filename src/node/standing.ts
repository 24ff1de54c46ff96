import type { Standing } from '../model/nodeFiles.ts';
import type { Applied } from './news.ts';

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
