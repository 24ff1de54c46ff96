import type { Place } from '../errors.ts';

/** One thing wrong or doubtful in the operator's files: where, what, and where it helps what to do. */
export type Finding = { readonly place: Place; readonly message: string; readonly hint?: string };

/** An edit that was refused, and since when the site before it has been in force; times are milliseconds since the epoch. */
export type RefusedEdit = { readonly at: number; readonly findings: readonly Finding[]; readonly servingSince: number };
