/** Takes an exception that no code expected, counts it and reports it. Never throws. */
export type FaultSink = (error: unknown) => void;

/**
 * A callback for an event loop's edge (a socket, a timer, a watch) that throws into `faulted` instead of into the event loop: one
 * bad packet loses its own answer and nothing else.
 */
export function guarded<Args extends unknown[]>(
  faulted: FaultSink,
  callback: (...args: Args) => void,
): (...args: Args) => void {
  return (...args) => {
    try {
      callback(...args);
    } catch (error) {
      faulted(error);
    }
  };
}
