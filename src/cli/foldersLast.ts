/**
 * The arguments with `--site DIR` and `--state DIR` moved from before or within the words that name the command to behind all others, where
 * the command takes them: `reveille --site DIR image list` is `reveille image list --site DIR`. One that stands behind the words already
 * comes later and counts.
 */
export function foldersLast(args: readonly string[]): readonly string[] {
  const found: string[] = [];
  const kept: string[] = [];
  let words = 0;
  let i = 0;
  for (; i < args.length && words < 2; i++) {
    const arg = args[i] ?? '';
    if (/^--(?:site|state)=/.test(arg)) found.push(arg);
    else if (/^--(?:site|state)$/.test(arg) && i + 1 < args.length) found.push(arg, args[++i] ?? '');
    else if (arg.startsWith('-')) break;
    else {
      kept.push(arg);
      words++;
    }
  }
  if (words === 0) return args;
  return [...kept, ...found, ...args.slice(i)];
}
