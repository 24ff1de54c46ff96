const RETRY_MS = 2000;

/**
 * Reads what a state remembers: once now and, where that fails, again until it succeeds. Resolves after the first attempt, to the way
 * to stop; never rejects. `failed` is called with the first failure.
 */
export async function recall(read: () => Promise<void>, failed: (error: unknown) => void): Promise<() => void> {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let told = false;
  const attempt = async (): Promise<void> => {
    try {
      await read();
    } catch (error) {
      if (!told) failed(error);
      told = true;
      if (!stopped) timer = setTimeout(attempt, RETRY_MS).unref();
    }
  };
  await attempt();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
