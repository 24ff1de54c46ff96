import { ReveilleError } from './errors.ts';

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

/**
 * Starts what needs something that a failing disk or a lack of descriptors may keep from it for a while: resolves after the first
 * attempt, and goes on trying where that failed. Rejects with errors of ours, which do not pass by themselves.
 */
export async function startWhenPossible(
  start: () => Promise<{ close(): Promise<void> }>,
  failed: (error: unknown) => void,
): Promise<{ close(): Promise<void> }> {
  let running: { close(): Promise<void> } | undefined;
  let refusal: ReveilleError | undefined;
  const stop = await recall(async () => {
    try {
      running = await start();
    } catch (error) {
      if (!(error instanceof ReveilleError)) throw error;
      refusal = error;
    }
  }, failed);
  if (refusal) throw refusal;
  return {
    async close() {
      stop();
      await running?.close();
    },
  };
}
