/**
 * A glob of absolute paths as a regular expression's source, in the part of the language that JavaScript and POSIX
 * extended expressions share, so that awk inside the root reads it too. `*` and `?` stay within one name, `**` spans
 * names, `[abc]` and `[!abc]` are one character. What a glob matches it matches with everything beneath.
 */
export function globSource(glob: string): string {
  let source = '';
  for (let at = 0; at < glob.length; at++) {
    const char = glob.charAt(at);
    if (char === '*') {
      const deep = glob.charAt(at + 1) === '*';
      if (deep) at++;
      source += deep ? '.*' : '[^/]*';
    } else if (char === '?') {
      source += '[^/]';
    } else if (char === '[' && glob.indexOf(']', at + 2) > 0) {
      const end = glob.indexOf(']', at + 2);
      const set = glob.slice(at + 1, end).replaceAll('\\', '\\\\');
      source += set.startsWith('!') ? `[^${set.slice(1)}]` : `[${set.startsWith('^') ? `\\${set}` : set}]`;
      at = end;
    } else {
      source += /[.+^$(){}|\\[\]]/.test(char) ? `\\${char}` : char;
    }
  }
  return `^${source.replace(/\/+$/, '')}(/.*)?$`;
}

/** Whether a path (absolute, `/usr/bin/ls`) matches one of the globs or lies below a match. */
export function globMatcher(globs: readonly string[]): (path: string) => boolean {
  if (globs.length === 0) return () => false;
  const union = new RegExp(globs.map((glob) => `(?:${globSource(glob)})`).join('|'));
  return (path) => union.test(path);
}

/** Debian links /bin, /sbin and /lib into /usr: a glob of the old place also means the new one. */
export function mergedPlaces(glob: string): readonly string[] {
  return /^\/(bin|sbin|lib|lib32|lib64|libx32)(\/|$)/.test(glob) ? [glob, `/usr${glob}`] : [glob];
}
