/** A file that was changed on the node: it is gone, or has other content, another owner or mode. */
export type Drifted = {
  readonly path: string;
  readonly what: 'missing' | 'content' | 'access';
  /** What it has now, where that is what changed; `mode` in octal, owners as numbers. */
  readonly access?: { readonly mode: string; readonly owner: number; readonly group: number };
};

/**
 * The state of a node's files. `behind`: the site gives it other files by now; `drift`: some were changed there; `failed`: the
 * last attempt to apply its bundle failed; `unknown`: what the site gives it has not been compared yet.
 */
export type FilesStatus = {
  readonly state: 'in sync' | 'behind' | 'drift' | 'failed' | 'unknown';
  /** When the node last reported (ms since the epoch), and the bundle that it has. */
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
