import { constantOf } from '../text/constants.ts';
import { isOn } from '../text/forms.ts';
import type { Setting } from '../text/keys.ts';

/** The one word or text of a parameter; `undefined` if its value is computed for each client. */
export function wordOf(setting: Setting): string | undefined {
  if (setting.kind !== 'parameter') return undefined;
  if ('data' in setting.value) return setting.value.data[0]?.[0]?.text;
  return constantOf(setting.value.expression)?.text;
}

/** Whether a flag is on in these settings; `undefined` if nothing is said. */
export function flagOf(settings: ReadonlyMap<string, Setting>, keyword: string): boolean | undefined {
  const setting = settings.get(keyword);
  return setting === undefined ? undefined : isOn(wordOf(setting) ?? '');
}

/** A parameter's number; `undefined` if nothing is said or it is computed for each client. */
export function numberOf(settings: ReadonlyMap<string, Setting>, keyword: string): number | undefined {
  const setting = settings.get(keyword);
  const word = setting === undefined ? undefined : wordOf(setting);
  if (word === undefined) return undefined;
  return word.toLowerCase() === 'infinite' || word === '-1' ? INFINITE : Number(word);
}

export const INFINITE = 0xffffffff;
