import type { GivenOption } from '../meaning/optionSettings.ts';
import { optionEntry } from '../meaning/optionValues.ts';
import type { Reading, WrittenPart } from '../meaning/reading.ts';

/** Options as they stand under `options:`, nothing if there are none, and where each came from. What no site may set is reported. */
export function optionsText(
  options: ReadonlyMap<number, GivenOption>,
  reading: Reading,
): { readonly text: Record<string, unknown> | undefined; readonly parts: readonly WrittenPart[] } {
  const entries: (readonly [string, unknown])[] = [];
  const parts: WrittenPart[] = [];
  for (const [code, { name, value, from }] of options) {
    const entry = optionEntry(code, name, value);
    if (typeof entry === 'string') {
      for (const setting of from) reading.tell('left', setting, entry);
      continue;
    }
    entries.push(entry);
    for (const setting of from) parts.push({ from: setting, key: ['options', entry[0]] });
  }
  return { text: entries.length === 0 ? undefined : Object.fromEntries(entries), parts };
}
