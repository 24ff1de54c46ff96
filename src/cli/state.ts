import { ReveilleError } from '../errors.ts';
import type { DamagedRows } from '../model/trouble.ts';
import { mayHaveState } from '../state/sqlite/folder.ts';
import { openStore, type Store } from '../state/store.ts';
import { serverTroubleText } from '../words/trouble.ts';

/**
 * What the state in `folder` says, read beside a running server; `otherwise` where there is none yet, or where it cannot be read: then
 * standard error says so. Rejects with STATE_UNAVAILABLE instead where the answer is `required` to be whole.
 */
export async function askState<T>(
  folder: string,
  ask: (store: Store) => Promise<T>,
  otherwise: T,
  { required = false } = {},
): Promise<T> {
  if (!(await mayHaveState(folder))) return otherwise;
  try {
    const onDamaged = required ? refuseDamaged : reportDamaged;
    const store = await openStore(folder, { readOnly: true, onDamaged });
    try {
      return await ask(store);
    } finally {
      await store.close();
    }
  } catch (error) {
    if (required || !(error instanceof ReveilleError && error.code === 'STATE_UNAVAILABLE')) throw error;
    console.error(`The state is left out of account: ${error.message}.`);
    return otherwise;
  }
}

/** Says on standard error what of the state cannot be read. */
export function reportDamaged(damage: DamagedRows): void {
  console.error(`Warning: ${serverTroubleText(damage)}.`);
}

function refuseDamaged(damage: DamagedRows): never {
  throw new ReveilleError('STATE_UNAVAILABLE', serverTroubleText(damage), {
    hint: 'the answer needs all of the state: bring back a copy of it, or remove these rows',
  });
}
