/** The state of the nodes' clocks. */
export type NodeClocks = {
  /**
   * A node reported its time, in seconds since 1970. Returns how much it is ahead of this machine's (behind: negative), in
   * milliseconds, or 0 once it is right again; `undefined` if there is nothing new to report.
   */
  hear(node: string, time: unknown): number | undefined;
  /** The node boots: a clock that is off is reported again at its next request. */
  forget(node: string): void;
};

/** Rounding to seconds, a slow network and a slow machine make a correct clock seem off by this much. */
const RIGHT_MS = 5000;

/** Compares the times that nodes report with `now` (milliseconds since the epoch). */
export function nodeClocks(now: () => number): NodeClocks {
  /** The last reported offsets; nodes with correct clocks are not kept. */
  const reported = new Map<string, number>();
  return {
    hear(node, time) {
      if (typeof time !== 'string' || !/^[0-9]{1,11}$/.test(time)) return undefined;
      const ahead = Number(time) * 1000 - now();
      const aheadMs = Math.abs(ahead) > RIGHT_MS ? ahead : 0;
      const last = reported.get(node) ?? 0;
      if (Math.abs(aheadMs - last) <= RIGHT_MS && (aheadMs === 0) === (last === 0)) return undefined;
      if (aheadMs === 0) reported.delete(node);
      else reported.set(node, aheadMs);
      return aheadMs;
    },
    forget: (node) => void reported.delete(node),
  };
}
