import type { Cursor } from './cursor.ts';
import { readDatum } from './data.ts';
import { readArguments, readExpression } from './expressions.ts';
import type { Expression, Statement } from './tree.ts';

/** Reads a statement that runs for each client. `readBody` reads the statements of a function. */
export function readActions(cursor: Cursor, keyword: string, readBody: () => readonly Statement[]): Statement {
  const { place } = cursor.take();
  const action = (words: string, expressions: readonly Expression[] = [], body?: readonly Statement[]): Statement => ({
    ...{ kind: 'action', keyword, words, expressions, place },
    ...(body === undefined ? {} : { body }),
  });
  const end = (words: string, expressions: readonly Expression[] = []): Statement => {
    cursor.semicolon(place);
    return action(words, expressions);
  };
  const functionOf = (words: string): Statement => {
    readArguments(cursor);
    return action(words, [], readBody());
  };
  switch (keyword) {
    case 'break':
      return end(keyword);
    case 'return':
    case 'eval':
      return end(keyword, cursor.at(';') ? [] : [readExpression(cursor)]);
    case 'log':
    case 'execute':
      return end(keyword, readArguments(cursor));
    case 'add':
      return end(`add "${cursor.name('the name of a class')}"`);
    case 'unset':
      return end(`unset ${readDatum(cursor, "a variable's name").text}`);
    case 'define': {
      const words = `define ${readDatum(cursor, "a function's name").text}`;
      if (cursor.at('(')) return functionOf(words);
      cursor.expect('=', 'after the name');
      return end(words, [readExpression(cursor)]);
    }
    default: {
      const words = `${keyword} ${readDatum(cursor, "a variable's name").text}`;
      cursor.expect('=', "after the variable's name");
      return cursor.skip('function') ? functionOf(words) : end(words, [readExpression(cursor)]);
    }
  }
}
