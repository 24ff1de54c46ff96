import { ReveilleError } from '../errors.ts';

/**
 * Why the state cannot be had, in words, in a form that crosses from one thread to another. `lasting`: another program or a newer one
 * has it, and waiting does not help.
 */
export type Failure = { readonly message: string; readonly hint: string; readonly lasting?: true };

/** Another program has the state, or a newer one has written it. */
export class StateTaken extends ReveilleError {
  constructor(message: string, hint: string) {
    super('STATE_UNAVAILABLE', message, { hint });
  }
}

export function unavailable({ message, hint, lasting }: Failure, cause?: unknown): ReveilleError {
  if (lasting) return new StateTaken(message, hint);
  return new ReveilleError('STATE_UNAVAILABLE', message, { ...(hint && { hint }), cause });
}
