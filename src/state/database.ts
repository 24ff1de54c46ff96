import type { CompiledQuery } from 'kysely';

export type SqlValue = null | number | bigint | string | Uint8Array;

/** One SQL statement, run once for each row of parameters. A claim must change a row in each run. */
export type Statement = {
  readonly sql: string;
  readonly rows: readonly (readonly SqlValue[])[];
  readonly claims?: true;
};

/** What a statement gave: the rows of all its runs, and how many rows they changed, where it gives none. */
export type Result = { readonly rows: readonly Record<string, unknown>[]; readonly changes: number };

/** Statements of SQL for a database. */
export type Database = {
  /** Runs statements in one transaction; settles when they are on disk. Rejects with STATE_UNAVAILABLE: then none counts. */
  run(statements: readonly Statement[]): Promise<readonly Result[]>;
  /**
   * The same with statements some of which are claims: whether each of those changed a row. Where one did not, something has been taken by
   * another, and no statement counts.
   */
  claim(statements: readonly Statement[]): Promise<boolean>;
  /** Waits for what was asked before. */
  close(): Promise<void>;
};

/** Transactions since the start, and those that failed; how many wait now, and how long the oldest has waited, in milliseconds. */
export type DatabaseGauges = {
  readonly asked: number;
  readonly failed: number;
  readonly waiting: number;
  readonly oldestMs: number;
};

/** The values of a row of events; one without an id, or whose id is not above all, is given the next. */
export type EventValues = readonly [
  id: number | null,
  at: number,
  node: string | null,
  mac: string | null,
  subject: string,
  body: string,
];

/** The database of the events: what is too much is forgotten as others are saved. */
export type EventsDatabase = Database & {
  /** Saves events in their order, all or none. Rejects with STATE_UNAVAILABLE. */
  save(rows: readonly EventValues[]): Promise<void>;
  gauges(): DatabaseGauges;
};

/** A compiled query as a statement; `rows` replaces its parameters where it runs more than once. */
export function statementOf(query: CompiledQuery, rows?: Statement['rows']): Statement {
  return { sql: query.sql, rows: rows ?? [query.parameters as readonly SqlValue[]] };
}
