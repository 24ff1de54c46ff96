// Values as other programs' files take them. What a filter makes here, the mask of secrets knows (see secretMask.ts).

/**
 * A value of an option that oslo.config reads: `$` doubled, quotes around what would be cut off. Throws for what such a file
 * cannot hold.
 */
export function osloText(text: string): string {
  if (/[\r\n]/.test(text)) throw new Error('a value of several lines cannot be written for oslo.config');
  if (text.includes('\\$')) throw new Error('oslo.config cannot have \\$ in a value: use another password');
  const doubled = osloForm(text);
  const quotes = /^(["']).*\1$/.test(text) || text.trim() !== text || /^["']$/.test(text);
  return quotes ? `"${doubled}"` : doubled;
}

/** Each `$` twice, which is how oslo.config has one. */
export function osloForm(text: string): string {
  return text.replaceAll('$', '$$$$');
}

/** One word of a POSIX shell. */
export function shellText(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${shellForm(text)}'`;
}

/** What stands between the single quotes. */
export function shellForm(text: string): string {
  return text.replaceAll("'", `'"'"'`);
}
