/**
 * Makes many small writes share one wait for the disk: while one group is being written, what comes meanwhile becomes
 * the next group. A write settles as its group does.
 */
export function groupCommit<T>(write: (group: readonly T[]) => Promise<void>): (items: readonly T[]) => Promise<void> {
  let next: T[] = [];
  let nextWritten: Promise<void> | undefined;
  let writing: Promise<unknown> = Promise.resolve();

  const writeNext = (): Promise<void> => {
    const group = next;
    next = [];
    nextWritten = undefined;
    const written = write(group);
    writing = written.catch(() => {});
    return written;
  };

  return (items) => {
    next.push(...items);
    nextWritten ??= writing.then(writeNext);
    return nextWritten;
  };
}
