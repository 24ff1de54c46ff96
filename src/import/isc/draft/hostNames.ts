import { OptionTable } from '../text/optionTable.ts';
import { PARAMETERS } from '../text/statements.ts';
import type { Datum, OptionType, Statement } from '../text/tree.ts';

/** The host names that stand where an address could, each once. */
export function hostNamesIn(statements: readonly Statement[]): ReadonlySet<string> {
  const names = new Set<string>();
  const options = new OptionTable(statements.filter((one) => one.kind === 'option-definition'));
  const note = (items: readonly Datum[]) => {
    for (const { kind, text } of items) if (kind === 'words' && !/^[0-9.]*$/.test(text)) names.add(text);
  };
  const walk = (list: readonly Statement[]): void => {
    for (const statement of list) {
      if (statement.kind === 'subnet') note([statement.base]);
      if (statement.kind === 'range') note([statement.first, statement.last]);
      if (statement.kind === 'parameter' && 'data' in statement.value && isAddress(statement.keyword)) {
        note(statement.value.data.flat());
      }
      if (
        statement.kind === 'option' &&
        'data' in statement.value &&
        holdsAddresses(options.find(statement.option)?.type)
      ) {
        note(statement.value.data.flat());
      }
      if (statement.kind === 'if') for (const { body } of statement.branches) walk(body);
      else if (statement.kind === 'switch') for (const { body } of statement.cases) walk(body);
      else if ('body' in statement && statement.body !== undefined) walk(statement.body);
    }
  };
  walk(statements);
  return names;
}

function isAddress(keyword: string): boolean {
  const { form, treatment } = PARAMETERS.get(keyword) ?? {};
  return treatment === 'taken' && (form === 'address' || form === 'addresses');
}

function holdsAddresses(type: OptionType | undefined): boolean {
  return type?.kind === 'ip' || (type?.kind === 'array' && holdsAddresses(type.of));
}
