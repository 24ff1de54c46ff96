import type { Place } from '../../errors.ts';
import type { Why } from '../reason.ts';
import type { Config, Label, MenuList, MenuRow, Said } from './config.ts';

/**
 * What pxelinux or its menu comes to where no key is pressed: a label; a command line, which its reader (`prompt` or
 * `menu`) looks up among its labels in its own way; or nothing. `after` is in seconds.
 */
export type Unasked =
  | { readonly kind: 'label'; readonly label: Label; readonly from: Said; readonly after: number }
  | {
      readonly kind: 'command';
      readonly command: Said;
      readonly directive: 'ui' | 'default' | 'ontimeout';
      readonly by: 'prompt' | 'menu';
      readonly after: number;
    }
  | { readonly kind: 'nothing'; readonly place: Place; readonly why: Why };

/** What pxelinux itself does with a configuration: `ui` goes before `default`, and shows no prompt. */
export function promptUnasked(config: Config): Unasked {
  const { ui, default: usual, onTimeout, prompt, neverPrompts, file } = config;
  const run = ui ?? usual;
  const start: Unasked | undefined = run && {
    kind: 'command',
    command: run,
    directive: ui ? 'ui' : 'default',
    by: 'prompt',
    after: 0,
  };
  if (start && (ui || prompt?.value !== true || neverPrompts)) return start;
  if (neverPrompts) return { kind: 'nothing', place: top(file), why: 'neither `default` nor `ui` says what boots' };
  const after = firstToEnd(config.timeout, config.totalTimeout);
  if (after === undefined) {
    const place = (prompt ?? config.timeout)?.place ?? top(file);
    return { kind: 'nothing', place, why: 'pxelinux waits at its prompt without end' };
  }
  if (onTimeout) return { kind: 'command', command: onTimeout, directive: 'ontimeout', by: 'prompt', after };
  return start?.kind === 'command'
    ? { ...start, after }
    : { kind: 'nothing', place: top(file), why: 'neither `default`, `ui` nor `ontimeout` says what boots' };
}

/** What menu.c32 does with a configuration. */
export function menuUnasked(config: Config): Unasked {
  const { menu, row: at, from } = firstMenu(config);
  const row = menu.rows[at];
  const place = from?.place ?? top(config.file);
  const nothing = (why: Why, at = place): Unasked => ({ kind: 'nothing', place: at, why });
  if (row === undefined) return nothing('the menu has no labels');
  const chosen = (after: number): Unasked => {
    if (row.kind !== 'label') return nothing('the first row of the menu boots nothing');
    const { label } = row;
    if (!bootable(label)) return nothing('the row of the menu that is chosen at first boots nothing', label.place);
    return { kind: 'label', label, from: from ?? { value: `label ${label.line.trim()}`, place: label.place }, after };
  };
  if (config.isForShiftKey) return chosen(0);
  // The time stops where the cursor cannot stand on the default; a hidden menu has no cursor.
  const isStopped = !config.isHiddenMenu && cursorRow(menu, at, config.menus) !== at;
  const after = firstToEnd(isStopped ? undefined : menu.timeout, config.totalTimeout);
  if (after === undefined) {
    const why = isStopped
      ? 'the row of the menu that is chosen at first is switched off, which stops the time'
      : 'the menu waits for a person without end';
    return nothing(why, menu.timeout?.place ?? place);
  }
  const { onTimeout } = menu;
  if (onTimeout) return { kind: 'command', command: onTimeout, directive: 'ontimeout', by: 'menu', after };
  return chosen(after);
}

/** The label that a command line names: by its first word for pxelinux, by its whole line for menu.c32. */
export function labelOf(command: string, by: 'prompt' | 'menu', config: Config): Label | undefined {
  const [first = ''] = /^\S*/.exec(command) ?? [];
  const nameOf = by === 'prompt' ? ({ value }: Label) => value : ({ line }: Label) => line;
  return config.labels.find((label) => !label.isDisabled && nameOf(label) === first);
}

/** Whether choosing a label starts something, and does not lead through the menus. */
export function bootable({ action, isDisabled }: Label): boolean {
  return action === 'boot' && !isDisabled;
}

/** The menu that is shown first and the row that is chosen in it; `default` names one only where a `ui` is read too. */
function firstMenu(config: Config): { readonly menu: MenuList; readonly row: number; readonly from?: Said } {
  const { default: usual, ui, menus, startMenu: menu } = config;
  const named = ui && usual && labelOf(usual.value, 'menu', config);
  for (const one of named && !named.isHidden ? menus : []) {
    const row = one.rows.findIndex((each) => each.kind === 'label' && each.label === named);
    if (usual && row >= 0) return { menu: one, row, from: usual };
  }
  return { menu, row: menu.defaultRow };
}

/** Where menu.c32 puts its cursor at first. */
function cursorRow({ rows }: MenuList, at: number, menus: readonly MenuList[]): number {
  const isOff = (row: number) => isDisabled(rows[row], menus);
  const last = rows.length - 1;
  let row = at;
  if (row <= 0) while (row <= last && isOff(row)) row++;
  if (row >= last) {
    row = last;
    while (row > 0 && isOff(row)) row--;
  }
  return row;
}

function isDisabled(row: MenuRow | undefined, menus: readonly MenuList[]): boolean {
  if (row?.kind === 'gap') return true;
  if (row?.kind !== 'label') return false;
  const { goesTo, isDisabled } = row.label;
  return isDisabled || (goesTo !== undefined && !menus.some(({ tag }) => tag === goesTo));
}

/** Seconds until the first of two times is over; `undefined` if neither ends. */
function firstToEnd(...times: readonly (Said<number> | undefined)[]): number | undefined {
  const ends = times.map((time) => time?.value ?? 0).filter((tenths) => tenths > 0);
  return ends.length === 0 ? undefined : Math.min(...ends) / 10;
}

function top(file: string): Place {
  return { file, line: 1, col: 1 };
}
