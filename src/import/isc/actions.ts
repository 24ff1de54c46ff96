import type { Cursor } from './cursor.ts';
import { readDatum } from './data.ts';
import { readArguments, readExpression } from './expressions.ts';
import type { Statement } from './tree.ts';

/** Reads a statement that runs for each client. `body` reads the statements of a function. */
export function readActions(cursor: Cursor, keyword: string, body: () => unknown): Statement {
  const { place } = cursor.take();
  const action = (words: string): Statement => ({ kind: 'action', keyword, words, place });
  const end = (words: string): Statement => {
    cursor.semicolon(place);
    return action(words);
  };
  switch (keyword) {
    case 'break':
      return end(keyword);
    case 'return':
    case 'eval':
      if (!cursor.at(';')) readExpression(cursor);
      return end(keyword);
    case 'log':
    case 'execute':
      readArguments(cursor);
      return end(keyword);
    case 'add':
      return end(`add "${cursor.name('the name of a class')}"`);
    case 'unset':
      return end(`unset ${readDatum(cursor, "a variable's name").text}`);
    case 'define': {
      const words = `define ${readDatum(cursor, "a function's name").text}`;
      if (cursor.at('(')) return readFunction(cursor, action(words), body);
      cursor.expect('=', 'after the name');
      readExpression(cursor);
      return end(words);
    }
    default: {
      const words = `${keyword} ${readDatum(cursor, "a variable's name").text}`;
      cursor.expect('=', "after the variable's name");
      if (cursor.skip('function')) return readFunction(cursor, action(words), body);
      readExpression(cursor);
      return end(words);
    }
  }
}

function readFunction(cursor: Cursor, action: Statement, body: () => unknown): Statement {
  readArguments(cursor);
  body();
  return action;
}
