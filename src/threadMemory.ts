import type { ResourceLimits } from 'node:worker_threads';

/**
 * For threads that answer no packets: V8 lets new objects of each thread grow to 48 MB before it looks for those that live, and keeps the memory.
 * With less it looks more often, at no measurable cost to them.
 */
export const FEW_NEW_OBJECTS = { maxYoungGenerationSizeMb: 4 } as const satisfies ResourceLimits;
