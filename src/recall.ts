import { ReveilleError } from './errors.ts';

const RETRY_MS = 2000;

/**
 * Reads what the state holds: once now and, if that fails, again until it succeeds. Resolves after the first attempt with a
 * function that stops the retries; never rejects. `failed` is called with the first failure.
 */
export async function recall(read: () => Promise<void>, failed: (error: unknown) => void): Promise<() => void> {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let reported = false;
  const attempt = async (): Promise<void> => {
    try {
      await read();
    } catch (error) {
      if (!reported) failed(error);
      reported = true;
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
 * Starts a service that a failing disk or a lack of descriptors may prevent from starting for a while: resolves after the first
 * attempt, and goes on trying if that failed. Rejects with a ReveilleError, which is permanent.
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
