import type { Place } from '../../../errors.ts';
import { invalid } from '../../invalid.ts';
import type { Cursor } from './cursor.ts';
import { readData, readDatum } from './data.ts';
import { readExpression, readOptionName, STARTS_EXPRESSION } from './expressions.ts';
import { readOptionType } from './optionTypes.ts';
import type { Assigning, OptionName, Statement } from './tree.ts';

/** Reads what follows `option`: a value for it, the definition of one, or that of an option space. */
export function readOption(cursor: Cursor, place: Place, how: Assigning = 'set'): Statement {
  const option = readOptionName(cursor);
  if (option.space === 'dhcp' && option.name.toLowerCase() === 'space' && cursor.peek().kind === 'word') {
    return readSpace(cursor, place);
  }
  if (cursor.at('code')) {
    cursor.take();
    return readDefinition(cursor, option, place);
  }
  const computed = cursor.skip('=') || STARTS_EXPRESSION.has(cursor.peek().text.toLowerCase());
  const value = computed ? { expression: readExpression(cursor) } : { data: readData(cursor) };
  return { kind: 'option', option, how, value, place };
}

function readDefinition(cursor: Cursor, option: OptionName, place: Place): Statement {
  const code = readNumber(cursor, "the option's number", 0, 0xffffffff);
  cursor.expect('=', "between the option's number and its type");
  return { kind: 'option-definition', option, code, type: readOptionType(cursor), place };
}

/** `option space NAME [code width N] [length width N] [hash size N]`. */
function readSpace(cursor: Cursor, place: Place): Statement {
  const space = cursor.word('the name of the option space');
  const widths = { code: 1, length: 1 };
  for (;;) {
    if (cursor.skip('code')) {
      cursor.expect('width', 'after "code"');
      widths.code = readNumber(cursor, 'a width in bytes', 1, 4);
    } else if (cursor.skip('length')) {
      cursor.expect('width', 'after "length"');
      widths.length = readNumber(cursor, 'a width in bytes', 0, 2);
    } else if (cursor.skip('hash')) {
      cursor.expect('size', 'after "hash"');
      readNumber(cursor, 'a size', 1, 0xffffffff);
    } else return { kind: 'option-space', space, codeWidth: widths.code, lengthWidth: widths.length, place };
  }
}

function readNumber(cursor: Cursor, what: string, least: number, most: number): number {
  const { text, place } = readDatum(cursor, what);
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw invalid(place, `expected ${what}, found "${text}"`);
}
