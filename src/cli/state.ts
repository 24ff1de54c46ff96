import { ReveilleError } from '../errors.ts';
import { openStore, type Store } from '../state/store.ts';

/** What the state in `folder` says, read beside a running server; `otherwise` where there is no state that can be read. */
export async function askState<T>(folder: string, ask: (store: Store) => Promise<T>, otherwise: T): Promise<T> {
  try {
    const store = await openStore(folder, { readOnly: true });
    try {
      return await ask(store);
    } finally {
      await store.close();
    }
  } catch (error) {
    if (error instanceof ReveilleError && error.code === 'STATE_UNAVAILABLE') return otherwise;
    throw error;
  }
}
