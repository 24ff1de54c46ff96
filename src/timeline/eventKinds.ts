/** A list of kinds of events with commas between: `audit.*,site.loaded`; a star stands for all that begin so. */
export const KINDS_PATTERN = /^[a-z]+(?:[.-][a-z]+)*(?:\.\*)?(?:,[a-z]+(?:[.-][a-z]+)*(?:\.\*)?)*$/;

/** Whether an event is of one of these kinds. */
export function isOfKinds(kind: string, kinds: readonly string[]): boolean {
  return kinds.some((one) => (one.endsWith('.*') ? kind.startsWith(one.slice(0, -1)) : kind === one));
}
