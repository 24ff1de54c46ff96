import { formatHex } from './hex.ts';
import type { Datum, Expression } from './tree.ts';

/** The value of an expression that is the same for every client, as it would be written; `undefined` of any other. */
export function constantOf(expression: Expression): Datum | undefined {
  const { place } = expression;
  switch (expression.kind) {
    case 'text':
      return { kind: 'text', text: expression.text, place, ...(expression.escaped ? { escaped: true } : {}) };
    case 'bytes':
      return { kind: 'words', text: formatHex(expression.bytes), place };
    case 'number':
      return { kind: 'words', text: String(expression.value), place };
    case 'call': {
      const parts = expression.arguments.map(constantOf);
      if (expression.name !== 'concat' || !parts.every((part) => part?.kind === 'text')) return undefined;
      return { kind: 'text', text: parts.map((part) => part?.text).join(''), place };
    }
    default:
      return undefined;
  }
}
