import { OPTION } from '../../../model/options.ts';
import { isWhy } from '../../reason.ts';
import { constantOf } from '../text/constants.ts';
import { showOption } from '../text/show.ts';
import type { Datum, StatementOf } from '../text/tree.ts';
import { type OptionValue, optionValue } from './optionValues.ts';
import type { Reading } from './reading.ts';
import type { Setting } from './scopes.ts';

/** An option that a scope gives: its name in dhcpd.conf, its value, and the statements that say so. */
export type GivenOption = {
  readonly name: string;
  readonly value: OptionValue;
  readonly from: readonly [Setting, ...Setting[]];
};

/** `option host-name = host-decl-name`. */
export function saysOwnName({ option, value }: StatementOf<'option'>): boolean {
  if (showOption(option) !== 'host-name' || !('expression' in value)) return false;
  const { expression } = value;
  return expression.kind === 'word' && expression.word === 'host-decl-name';
}

/** The number and the value of an option; `undefined`, and reported, if the value is not known. Throws IMPORT_INVALID. */
export function givenValue(
  setting: StatementOf<'option'>,
  reading: Reading,
): { readonly code: number; readonly value: OptionValue } | undefined {
  const { option, place } = setting;
  const known = reading.options.find(option);
  if (known === undefined) return undefined;
  const items = itemsOf(setting, reading);
  if (items === undefined) return undefined;
  const name: Datum = { kind: 'words', text: `option ${showOption(option)}`, place };
  const value = optionValue(known.type, items, name, reading.context.resolved);
  if (isWhy(value)) {
    reading.tell('left', setting, value);
    return undefined;
  }
  return { code: known.code, value };
}

/** What is written for an option; of an expression its value, if it is one that does not depend on the client. */
function itemsOf(setting: StatementOf<'option'>, reading: Reading): readonly Datum[] | undefined {
  const { value, option } = setting;
  if ('data' in value) return value.data.flat();
  const constant = constantOf(value.expression);
  if (constant !== undefined) return [constant];
  const isAsking = reading.options.find(option)?.code === OPTION.parameterList.code && option.space === 'dhcp';
  const why = isAsking
    ? 'a site does not add to what clients ask for; options from 224 on are given unasked'
    : 'it is computed for each client: write it where it is known';
  reading.tell('left', setting, why);
  return undefined;
}
