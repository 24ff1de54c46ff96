import type { MessagePort } from 'node:worker_threads';
import type { Database, DatabaseGauges, Statement } from '../database.ts';
import { StateTaken } from '../failure.ts';
import type { MainThreadOptions, Notice, Outcome, ThreadOptions } from './messages.ts';
import { DatabaseThread, type StartThread, threadOf } from './thread.ts';

export type DatabaseOptions = ThreadOptions & {
  /** How long a lease may live that was lost with its record, milliseconds. */
  readonly longestLeaseMs?: number;
  /** Goes on where the disk fails, full or broken, and heals with it: calls reject meanwhile. */
  readonly patient?: boolean;
  readonly onNotice?: (notice: Notice) => void;
};

/** A database that other threads of the program ask too. */
export type LentDatabase = Database & {
  /** Has `receive` get a port for a `PortDatabase`, and another whenever the one before is closed because its thread ended. Returns the way to end that. */
  lend(receive: (port: MessagePort) => void): () => void;
  gauges(): DatabaseGauges;
};

const DAY_MS = 86_400_000;

/**
 * Opens the database of a state folder, making it if there is none. Rejects with STATE_UNAVAILABLE; `patient`, only where another
 * program has the state or a newer one wrote it.
 */
export async function openDatabase(
  { folder, readOnly, longestLeaseMs = DAY_MS, patient = false, onNotice }: DatabaseOptions,
  start: StartThread = threadOf('./databaseThread.ts'),
): Promise<LentDatabase> {
  const options: MainThreadOptions = { folder, readOnly, longestLeaseMs, serves: patient };
  const thread = new DatabaseThread<readonly Statement[], Outcome>(options, {
    start,
    ...(onNotice && { onNotice }),
  });
  try {
    await thread.ask([]);
  } catch (error) {
    if (!patient || error instanceof StateTaken) {
      await thread.close();
      throw error;
    }
  }
  return {
    run: async (statements) => (await thread.ask(statements)) ?? [],
    claim: async (statements) => (await thread.ask(statements)) !== undefined,
    lend: (receive) => thread.lend(receive),
    gauges: () => thread.gauges(),
    close: () => thread.close(),
  };
}
