import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '../database.ts';
import { unavailable } from '../failure.ts';
import type { KeyGuard } from '../identities.ts';
import { KEYS_LOST } from '../marks.ts';

/**
 * Where keys of nodes were lost, others in their place would part those nodes from all that knew them: an operator decides. The file
 * that may hold them lies in `folder`.
 */
export function guardLostKeys(folder: string, database: Database): KeyGuard {
  return async (of) => {
    const [lost] = await database.run([{ sql: `select value from meta where key = '${KEYS_LOST}'`, rows: [[]] }]);
    const damaged = lost?.rows[0]?.value;
    if (typeof damaged !== 'string' || !existsSync(join(folder, damaged))) return;
    throw unavailable({
      message: `no keys are made for ${of}: its own may have been lost with ${join(folder, damaged)}`,
      hint: 'bring back a copy of the state, or move that file away to have new ones made',
    });
  };
}
