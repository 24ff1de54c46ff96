import { keyOf } from '../text/keys.ts';
import type { Conditions } from './classConditions.ts';
import { both } from './conditions.ts';
import type { GivenOption } from './optionSettings.ts';
import type { Carried, Reading } from './reading.ts';
import type { Setting } from './scopes.ts';

/** Notes what a pool or a class gives of option spaces. */
export function noteCarried(
  options: ReadonlyMap<number, GivenOption>,
  conditions: Conditions | undefined,
  reading: Reading,
): void {
  for (const [code, { from }] of options) {
    if (!from.some(isOfSpace)) continue;
    reading.carried.push({ code, from, ...(conditions === undefined ? {} : { conditions }) });
  }
}

function isOfSpace(setting: Setting): boolean {
  return setting.kind === 'option' && setting.option.space !== 'dhcp';
}

/** More than a configuration of any network has: beyond that the pairs are not looked at. */
const MOST = 500;

/**
 * dhcpd puts together for each client what all its classes and its pool say of a space; a site gives the option that carries them
 * as the last one says it. Tells of what is missing there.
 */
export function tellOfCarried(reading: Reading): void {
  for (const [, all] of Map.groupBy(reading.carried.slice(0, MOST), ({ code }) => code)) {
    for (const [i, first] of all.entries()) for (const second of all.slice(i + 1)) tellOfPair(first, second, reading);
  }
}

function tellOfPair(a: Carried, b: Carried, reading: Reading): void {
  if (a.conditions === undefined && b.conditions === undefined) return;
  if (a.conditions !== undefined && b.conditions !== undefined) {
    if (both([a.conditions], [b.conditions])?.length === 0) return;
  }
  // A class goes before a pool, a later class before an earlier one.
  const [weak, strong] = a.conditions === undefined || b.conditions !== undefined ? [a, b] : [b, a];
  const said = new Set(strong.from.map(keyOf));
  for (const setting of weak.from) {
    if (!isOfSpace(setting) || said.has(keyOf(setting))) continue;
    const why =
      'not given to those whose class gives other options of its space: write it there as well, in the option that carries it';
    reading.tell('changed', setting, why);
  }
}
