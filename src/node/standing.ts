import type { FilesStatus } from '../model/nodeFiles.ts';
import type { Applied } from './news.ts';

/** A node's report, and its time. */
export type AppliedAt = Applied & { readonly at: number };

/** Combines a node's report with what the site gives it (the name of its bundle, if known). Pure. */
export function filesStatusOf(
  { at, sha256, failed, drifted, drift }: AppliedAt,
  current: string | undefined,
): FilesStatus {
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
