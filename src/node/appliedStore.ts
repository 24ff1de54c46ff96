import { z } from 'zod';
import type { Applied } from './news.ts';
import type { AppliedAt } from './standing.ts';

/** Stores what nodes reported about their files. Calls reject with STATE_UNAVAILABLE. */
export type AppliedStore = {
  /** Replaces the earlier reports of these nodes, all or none. */
  save(changed: ReadonlyMap<string, AppliedAt>): Promise<void>;
  /** By node. */
  read(): Promise<ReadonlyMap<string, AppliedAt>>;
  forget(nodes: readonly string[]): Promise<void>;
};

const APPLIED = z.object({
  sha256: z.string(),
  manifest: z.string().exactOptional(),
  folders: z.literal(true).exactOptional(),
  failed: z.string().exactOptional(),
  drifted: z.number(),
  drift: z.array(
    z.object({
      path: z.string(),
      what: z.enum(['missing', 'content', 'access']),
      access: z.object({ mode: z.string(), owner: z.number(), group: z.number() }).exactOptional(),
    }),
  ),
});

/** A report from the state's JSON; `undefined` if it is malformed. */
export function parseApplied(value: unknown): Applied | undefined {
  return APPLIED.safeParse(value).data;
}
