import { givenBy } from './given.ts';
import type { Reading } from './reading.ts';
import { chainOf, type Scope } from './scopes.ts';

/**
 * Tells as taken over what no part of the translation has told of, so that every setting of the configuration is in the
 * report. A host stands for what is within it.
 */
export function tellRest(reading: Reading): void {
  const { scopes, definitions, classes } = reading.outline;
  const visit = (scope: Scope): void => {
    // What no network and no host makes use of has to be well-formed all the same.
    givenBy(scope.set, reading);
    if (!chainOf(scope).some(({ kind }) => kind === 'host')) {
      for (const setting of scope.set.values()) if (!reading.hasTold(setting)) reading.tell('taken', setting);
    }
    for (const { branches } of scope.choices) for (const branch of branches) visit(branch.scope);
  };
  scopes.forEach(visit);
  for (const one of classes) for (const match of one.matches) if (!reading.hasTold(match)) reading.tell('taken', match);
  for (const definition of definitions) if (!reading.hasTold(definition)) reading.tell('taken', definition);
}
