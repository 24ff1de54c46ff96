/** What is known of the nodes' clocks. */
export type NodeClocks = {
  /**
   * A node told its time, in seconds since 1970. Gives how much it is ahead of this machine's (behind: negative),
   * milliseconds, or 0 once it is right again; `undefined` where nothing new is to be told.
   */
  hear(node: string, time: unknown): number | undefined;
  /** The node boots: what is off is told anew at its next word. */
  forget(node: string): void;
};

/** Whole seconds, a slow network and a slow machine make this much look wrong that is not. */
const RIGHT_MS = 5000;

/** Compares what nodes tell of their time with `now` (milliseconds since the epoch). */
export function nodeClocks(now: () => number): NodeClocks {
  /** What was told last; nodes that are right are not kept. */
  const told = new Map<string, number>();
  return {
    hear(node, time) {
      if (typeof time !== 'string' || !/^[0-9]{1,11}$/.test(time)) return undefined;
      const ahead = Number(time) * 1000 - now();
      const aheadMs = Math.abs(ahead) > RIGHT_MS ? ahead : 0;
      const last = told.get(node) ?? 0;
      if (Math.abs(aheadMs - last) <= RIGHT_MS && (aheadMs === 0) === (last === 0)) return undefined;
      if (aheadMs === 0) told.delete(node);
      else told.set(node, aheadMs);
      return aheadMs;
    },
    forget: (node) => void told.delete(node),
  };
}
