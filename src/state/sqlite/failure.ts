import { ReveilleError, wordsOf } from '../../errors.ts';
import { type Failure, StateTaken } from '../failure.ts';

/** What another program did to a database's files while they were open. */
export type Harm = 'removed' | 'replaced' | 'cut off' | 'changed';

/** The files of an open database are not as they were left. */
export class FileHarmed extends Error {
  readonly how: Harm;

  constructor(path: string, how: Harm) {
    super(`${path} was ${how} by another program while it was open`);
    this.how = how;
  }
}

/** Primary result codes of SQLite (sqlite.org/rescode.html) that operators meet. */
const WORDS: { readonly [code: number]: Failure } = {
  5: { message: 'is locked by another program', hint: 'end the program that has the file open' },
  6: { message: 'is locked by another program', hint: 'end the program that has the file open' },
  8: {
    message: 'may only be read',
    hint: 'look at the file’s owner and mode, and whether its file system is mounted read-only',
  },
  10: { message: 'cannot be read or written: the disk reports an error', hint: 'look at the kernel’s log (dmesg)' },
  11: { message: 'is damaged', hint: 'move it away to start afresh, or bring back a copy' },
  13: { message: 'cannot grow: the disk is full', hint: 'make room; the server goes on by itself' },
  14: { message: 'cannot be opened', hint: 'look at the owner and mode of the file and its folder' },
  26: { message: 'is not a database', hint: 'move it away to start afresh, or bring back a copy' },
};

const IO_ERROR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANNOT_OPEN = 14;
const NOT_A_DATABASE = 26;

/** SQLite's primary result code, if it was SQLite that failed. */
function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | undefined)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

/** Says what went wrong with `file`. */
export function failureOf(error: unknown, file: string): Failure {
  if (error instanceof ReveilleError) {
    const { message, hint = '' } = error;
    return error instanceof StateTaken ? { message, hint, lasting: true } : { message, hint };
  }
  const code = sqliteCode(error);
  const words = isFull(error) ? WORDS[FULL] : code === undefined ? undefined : WORDS[code];
  if (words) return { message: `${file} ${words.message}`, hint: words.hint };
  return { message: `${file}: ${wordsOf(error)}`, hint: '' };
}

/** Whether the disk, or this user's share of it, has no room. */
export function isFull(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return sqliteCode(error) === FULL || code === 'ENOSPC' || code === 'EDQUOT';
}

/** Whether a full disk may be what SQLite reports as an error of it: it does where it cannot make its index or a file beside. */
export function mayBeFull(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === IO_ERROR || code === CANNOT_OPEN;
}

/** A full disk, as SQLite reports it. */
export function full(cause: unknown): Error {
  return Object.assign(new Error('the disk is full', { cause }), { errcode: FULL });
}

/** Whether what is in the file is no longer a database, as a whole or in part. */
export function isDamaged(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === CORRUPT || code === NOT_A_DATABASE;
}

/** After an input or output error it is not known what reached the disk: the database must be opened anew. */
export function needsReopening(error: unknown): boolean {
  return sqliteCode(error) === IO_ERROR || isDamaged(error);
}
