/**
 * Characters that a terminal obeys instead of showing, or that change the order in which it shows others: control
 * characters (C0, DEL, C1), line and paragraph separators, and the marks of bidirectional text (Unicode TR 9, section 2).
 */
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/gu;
/** What a terminal takes as one command: it is removed whole, so that none of its letters remain. */
const SEQUENCES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what this removes
  /(?:\u001b\[|\u009b)[0-9;?]*[ -/]*[@-~]|(?:\u001b\]|\u009d)[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?/g;

/** Untrusted text as one line that is safe to show: each unsafe character becomes `instead`, a tab becomes a space. */
export function plainLine(text: string, instead = ' '): string {
  return text.replace(SEQUENCES, '').replaceAll('\t', ' ').replace(UNSAFE, instead);
}

/** Untrusted text of several lines, safe to show: line feeds and tabs stay, every other unsafe character is removed. */
export function plainLines(text: string): string {
  return text.replace(SEQUENCES, '').replace(UNSAFE, (one) => (one === '\n' || one === '\t' ? one : ''));
}

/** Whether text holds nothing that `plainLine` would change. */
export function isPlain(text: string): boolean {
  return text.search(UNSAFE) < 0;
}

/** The same JSON, with each unsafe character written as `\\uXXXX`. */
export function escapeUnsafe(json: string): string {
  return json.replace(UNSAFE, (one) => (one === '\n' ? one : `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`));
}
