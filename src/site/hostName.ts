import { domainToASCII } from 'node:url';
import { quoted } from './finding.ts';

/** The longest name that Linux keeps (HOST_NAME_MAX), and the longest part of one (RFC 1035, 2.3.4). */
export const LONGEST_HOST_NAME = 64;
const LONGEST_LABEL = 63;
/** The longest name with its domain, as text (RFC 1035, 2.3.4). */
export const LONGEST_FULL_NAME = 253;

/** What is wrong (`bad`) or only doubtful with a host name. */
export type NameProblem = { readonly bad: boolean; readonly message: string; readonly hint: string };

/**
 * The fault in the name of a machine, with or without a domain: RFC 1123, 2.1, and the kernel's limits. A name of digits only is
 * valid, but programs may read it as a number or an address.
 */
export function hostNameProblem(name: string): NameProblem | undefined {
  const hint =
    'a host name has letters, digits and inner hyphens, parts of 63 at most between dots, 64 in all (RFC 1123)';
  const bad = (why: string, instead = hint): NameProblem => ({
    bad: true,
    message: `${quoted(name)} cannot be a host name: ${why}`,
    hint: instead,
  });
  if (name === '') return bad('it is empty', 'write the name, or remove the file');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this looks for what is not ASCII
  if (/[^\x00-\x7f]/.test(name)) {
    const ascii = domainToASCII(name);
    return bad('it has letters beyond ASCII', ascii === '' ? hint : `as DNS has it: ${ascii} (RFC 5891)`);
  }
  if (/\s/.test(name)) return bad('it has a blank in it');
  if (name.startsWith('.') || name.endsWith('.')) return bad('it begins or ends with a dot');
  const labels = name.split('.');
  if (labels.includes('')) return bad('two dots follow each other');
  const odd = /[^A-Za-z0-9.-]/.exec(name)?.[0];
  if (odd !== undefined) return bad(`it has ${quoted(odd)} in it`);
  if (labels.some((label) => label.startsWith('-') || label.endsWith('-'))) {
    return bad('a part of it begins or ends with a hyphen');
  }
  const long = labels.find((label) => label.length > LONGEST_LABEL);
  if (long !== undefined) return bad(`a part of it has ${long.length} characters`);
  if (name.length > LONGEST_HOST_NAME)
    return bad(`it has ${name.length} characters, and Linux keeps ${LONGEST_HOST_NAME}`);
  if (!/^\d+$/.test(labels.at(-1) ?? '')) return undefined;
  if (labels.length > 1) return bad('it reads as an address: its last part is a number');
  return {
    bad: false,
    message: `the host name ${quoted(name)} is a number`,
    hint: 'ping, ssh and others take it for an address: begin it with a letter',
  };
}

/**
 * The names in the text of a hostname file, and their places: the first line that is more than a comment counts, as in
 * hostname(5).
 */
export type NamedLine = { readonly name: string; readonly line: number; readonly col: number };

/** The names in the text of a hostname file; there should be one. */
export function namesInFile(text: string): readonly NamedLine[] {
  return text.split('\n').flatMap((whole, i) => {
    const line_ = whole.replace(/#.*/, '');
    const name = line_.trim();
    return name === '' ? [] : [{ name, line: i + 1, col: line_.indexOf(name) + 1 }];
  });
}
