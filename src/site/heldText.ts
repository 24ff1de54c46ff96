import type { z } from 'zod';
import { Findings } from './finding.ts';
import { type IndentationSlip, indentationSlip } from './indentation.ts';
import { type Misindented, misindentedLine } from './misindented.ts';
import { type Declared, hold } from './shape.ts';
import { readYaml } from './yaml.ts';

/**
 * Reads a YAML text and holds it against its schema. Where all that is wrong comes from one line that is indented wrongly, that line is the
 * one finding. `undefined` if nothing usable is left.
 */
export function heldText<T>(
  file: string,
  text: string,
  schema: z.ZodType<T>,
  findings: Findings,
): Declared<T> | undefined {
  const own = new Findings();
  const yaml = readYaml(file, text, own);
  const declared = hold(yaml, schema, own);
  const isClear = own.errors.length === 0 || (yaml.value === undefined && isOtherSlip(indentationSlip(text)));
  const slip = isClear ? undefined : slipOf(text, schema, own);
  if (slip === undefined) {
    findings.take(own);
    return declared;
  }
  findings.error({ file, line: slip.line, col: slip.indent + 1 }, ...inWords(slip));
  return undefined;
}

/** A mistake within a line, which no other indentation mends. */
function isOtherSlip(slip: IndentationSlip | undefined): boolean {
  return slip !== undefined && slip.kind !== 'deeper' && slip.kind !== 'between';
}

function slipOf<T>(text: string, schema: z.ZodType<T>, { errors }: Findings): Misindented | undefined {
  const suspects = errors.map(({ place }) => place.line);
  return misindentedLine(text, [...new Set(suspects)].slice(0, MOST_SUSPECTS), (tried) => {
    const found = new Findings();
    const yaml = readYaml('', tried, found);
    if (yaml.value === undefined) return undefined;
    hold(yaml, schema, found);
    return found.errors.length;
  });
}

const MOST_SUSPECTS = 4;

function inWords({ indent, wanted, compare: { line, is } }: Misindented): readonly [message: string, hint: string] {
  const message = `this line is indented by ${spaces(indent)}, where ${wanted} ${wanted === 1 ? 'fits' : 'fit'}`;
  if (is === 'above') return [message, `it belongs below line ${line}`];
  return [message, `compare with line ${line}: what belongs together starts in the same column`];
}

function spaces(n: number): string {
  return `${n} ${n === 1 ? 'space' : 'spaces'}`;
}
