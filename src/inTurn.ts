/**
 * A queue: each piece of work begins when the one before has ended, whatever its result. Each call returns the result of its own
 * work.
 */
export function inTurn(): <T>(work: () => T | Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => {});
    return mine;
  };
}
