import type { CompiledQuery, Kysely } from 'kysely';
import { z } from 'zod';
import type { DamagedRows } from '../model/trouble.ts';
import { type Database, type Result, type Statement, statementOf } from './database.ts';

/** Called with what cannot be read. What it throws, reading rejects with. */
export type DamageSink = (damage: DamagedRows) => void;

/** The tables of a database: queries that are compiled here run there, and rows are parsed as they come. */
export class Tables<Schema> {
  /** Compiles queries; it is not asked to run them. */
  readonly db: Kysely<Schema>;
  readonly #database: Database;
  readonly #damaged: DamageSink;

  constructor(database: Database, db: Kysely<Schema>, damaged: DamageSink) {
    this.#database = database;
    this.db = db;
    this.#damaged = damaged;
  }

  /** Runs those of the statements that have rows, in one transaction. Rejects with STATE_UNAVAILABLE: then none counts. */
  async run(statements: readonly Statement[]): Promise<readonly Result[]> {
    const some = statements.filter(({ rows }) => rows.length > 0);
    return some.length === 0 ? [] : this.#database.run(some);
  }

  /** The same with claims among them: whether each was won. */
  claim(statements: readonly Statement[]): Promise<boolean> {
    return this.#database.claim(statements.filter(({ rows }) => rows.length > 0));
  }

  /** The rows of a table that a query finds; the first column names a row. */
  async read<Row>(table: string, query: CompiledQuery, row: z.ZodType<Row>): Promise<readonly Row[]> {
    const [result] = await this.#database.run([statementOf(query)]);
    return this.parse(table, result, row);
  }

  /** The rows of a result that can be read; the others are reported, and count as what `instead` makes of them, if anything. */
  parse<Row>(table: string, result: Result | undefined, row: z.ZodType<Row>, instead?: z.ZodType<Row>): readonly Row[] {
    const readable: Row[] = [];
    const others: string[] = [];
    for (const values of result?.rows ?? []) {
      const { success, data } = row.safeParse(values);
      if (success) {
        readable.push(data);
        continue;
      }
      others.push(String(Object.values(values)[0]));
      const rest = instead?.safeParse(values);
      if (rest?.success) readable.push(rest.data);
    }
    const { length: count } = others;
    if (count > 0) this.#damaged({ code: 'STATE_DAMAGED', table, count, rows: others.slice(0, MOST_NAMED) });
    return readable;
  }
}

const MOST_NAMED = 5;

/** A whole number: databases give large ones as text, or as bigint. */
export const wholeNumber: z.ZodType<number> = z
  .union([z.number(), z.bigint(), z.string().regex(/^-?[0-9]{1,16}$/)])
  .transform(Number)
  .pipe(z.int());

/** The value of JSON text that `parse` takes. */
export function json<T>(parse: (value: unknown) => T | undefined): z.ZodType<T> {
  return z.string().transform((text, context) => {
    const value = parseOrNothing(text, parse);
    if (value !== undefined) return value;
    context.addIssue('of another form');
    return z.NEVER;
  });
}

function parseOrNothing<T>(text: string, parse: (value: unknown) => T | undefined): T | undefined {
  try {
    return parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
