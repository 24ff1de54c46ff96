import type { Config } from './config.ts';
import { hideSecrets } from './hideSecrets.ts';
import type { Teller } from './tell.ts';

const LONGEST_SHOWN = 100;

/** Tells what of a configuration has no part in a site: one remark for all lines of one file that have one reason. */
export function tellUnused(config: Config, teller: Teller): void {
  const groups = Map.groupBy(config.unused, ({ place, why }) => `${place.file}\n${why}`);
  for (const [first, ...others] of groups.values()) {
    if (first === undefined) continue;
    const kinds = [...new Set(others.map(({ directive }) => directive))].filter((kind) => kind !== first.directive);
    const more =
      others.length === 0 ? '' : ` and ${others.length} more${kinds.length === 0 ? '' : `: ${kinds.join(', ')}`}`;
    teller.tell('left', first.place, `${shortened(first.value)}${more}`, first.why, { weight: first.weight });
  }
  if (config.title !== undefined) {
    const { value, place } = config.title;
    const why = "the menu's title is the name of the site";
    teller.tell('changed', place, `menu title ${value}`, why, { weight: 'other' });
  }
  if (config.serial !== undefined) {
    const why = 'pxelinux talks on the serial line that `console=` of the entry names';
    teller.tell('changed', config.serial.place, `serial ${config.serial.value}`, why);
  }
}

/** The line, not cut before a secret of it is hidden. */
function shortened(line: string): string {
  const shown = hideSecrets(line);
  return shown.length > LONGEST_SHOWN ? `${shown.slice(0, LONGEST_SHOWN)}...` : shown;
}
