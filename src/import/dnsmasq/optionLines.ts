import { parseIpv4 } from '../../model/ipv4.ts';
import { invalid } from '../invalid.ts';
import type { Request } from './distribute.ts';
import { OPTION_CODES } from './optionNames.ts';
import type { Line } from './outcomes.ts';
import type { Reading } from './reading.ts';
import type { Field, Setting } from './settings.ts';
import { holds } from './tagBook.ts';
import { tagged } from './values.ts';

/** A line of `dhcp-option`. */
export type OptionLine = Line & { readonly code: number; readonly at: Field; readonly values: readonly Field[] };

const READ = new WeakMap<Reading, readonly OptionLine[]>();

/** The lines of `dhcp-option` in the order of the configuration; those that are not for IPv4, or are within others, are reported. */
export function optionLines(reading: Reading): readonly OptionLine[] {
  const known = READ.get(reading);
  if (known !== undefined) return known;
  const lines: OptionLine[] = [];
  reading.each(reading.of('dhcp-option', 'dhcp-option-force'), (setting) => {
    const line = lineOf(setting, reading);
    if (line !== undefined) lines.push(line);
  });
  READ.set(reading, lines);
  return lines;
}

/**
 * Which of several lines for one option counts: the last whose tags are set without those of the network, else the last whose
 * tags are set, else the last without tags.
 */
export function chosenOption<L extends Line>(lines: readonly L[], { tags, own }: Request): L | undefined {
  const meant = lines.filter(({ needs }) => needs.length > 0 && holds(needs, tags));
  return (
    meant.findLast(({ needs }) => holds(needs, own)) ??
    meant.at(-1) ??
    lines.findLast(({ needs }) => needs.length === 0)
  );
}

function lineOf(setting: Setting, reading: Reading): OptionLine | undefined {
  const { needs, sets, rest } = tagged(setting.fields);
  const wrapped = rest.find(({ text }) => /^(encap|vi-encap|vendor):/.test(text));
  if (wrapped !== undefined) {
    if (wrapped.text === 'vendor:PXEClient' && rest[rest.indexOf(wrapped) + 1]?.text === '6') {
      const why = 'nothing need be written: firmware that boots is asked to look for no boot server';
      reading.left(setting, why, 'server');
      return undefined;
    }
    const why = 'options within options are written as bytes: `options: { vendor-encapsulated-options: { hex: ... } }`';
    reading.left(setting, why);
    return undefined;
  }
  // Older configurations write a tag without `tag:`.
  const bare = rest.findIndex(({ text }) => /^(option6?:.*|\d+)$/.test(text));
  if (bare < 0) throw invalid(setting.place, 'this names no option', 'by number, or option:NAME');
  const [at, ...values] = rest.slice(bare);
  if (at === undefined) throw invalid(setting.place, 'this names no option');
  if (at.text.startsWith('option6:') || values.some(({ text }) => /^\[.*\]$/.test(text))) {
    reading.left(setting, 'Reveille serves IPv4: keep the IPv6 part with its own server', 'other');
    return undefined;
  }
  const name = at.text.replace(/^option:/, '');
  const code = /^\d+$/.test(name) ? Number(name) : OPTION_CODES.get(name.toLowerCase());
  if (code === undefined)
    throw invalid(at.place, `dnsmasq has no option called ${JSON.stringify(name)}`, 'see `dnsmasq --help dhcp`');
  if (code > 255) {
    reading.left(setting, `${name} is not the number of an option`);
    return undefined;
  }
  if (code === 255 && parseIpv4(values[0]?.text ?? '') === undefined) {
    throw invalid(at.place, 'server-ip-address needs an IPv4 address');
  }
  return { setting, needs: [...needs, ...sets, ...rest.slice(0, bare)], code, at, values };
}
