import { formatIpv4, parseIpv4 } from '../../model/ipv4.ts';
import { quoted } from '../../site/finding.ts';
import { invalid } from '../invalid.ts';
import { type OptionLine, optionLines } from './optionLines.ts';
import type { Line } from './outcomes.ts';
import type { Reading } from './reading.ts';
import type { Field, Setting } from './settings.ts';
import { tagged } from './values.ts';

/** A line of `dhcp-boot`, or of an option that says a part of it. */
export type BootLine = Line & {
  readonly kind: 'boot' | 'option';
  readonly file?: string;
  /** The server's name or address, as option 66 says it. */
  readonly name?: string;
  /** The server's address, as siaddr says it. */
  readonly server?: string;
  /** A server whose address dnsmasq looks up when it is asked. */
  readonly lookedUp?: string;
};

/** A line of `pxe-service`: an item of the menu of one kind of firmware. */
export type ServiceLine = Line & {
  readonly kind: 'service';
  readonly arch: number;
  /** The tag that stands for firmware of this kind. */
  readonly tag: string;
  readonly words: string;
  readonly file?: string;
  /** Kind of boot server where no file is named; 0 is the disk. */
  readonly type: number;
  readonly server?: string;
  readonly lookedUp?: string;
};

/** The names of firmware in `pxe-service`, each at the number that it has in option 93. */
const FIRMWARES = [
  ...['x86pc', 'pc98', 'ia64_efi', 'alpha', 'arc_x86', 'intel_lean_client'],
  ...['ia32_efi', 'x86-64_efi', 'xscale_efi', 'bc_efi', 'arm32_efi', 'arm64_efi'],
];

/** Option 255 of dnsmasq stands for siaddr. */
const SIADDR = 255;
export const BOOT_OPTIONS: ReadonlySet<number> = new Set([66, 67, SIADDR]);

/** The lines that say what is booted, in the order of the configuration. */
export function bootLines(reading: Reading): readonly BootLine[] {
  const lines: BootLine[] = [];
  reading.each(reading.of('dhcp-boot'), (setting) => {
    lines.push(bootLine(setting));
  });
  for (const line of optionLines(reading)) if (BOOT_OPTIONS.has(line.code)) lines.push(optionLine(line, reading));
  return lines;
}

/** The lines of `pxe-service`; firmware of each kind becomes known by its tag. */
export function serviceLines(reading: Reading): readonly ServiceLine[] {
  const lines: ServiceLine[] = [];
  reading.each(reading.of('pxe-service'), (setting) => {
    const line = serviceLine(setting);
    if (!reading.tags.isOfMachines(line.tag)) reading.tags.add(line.tag, { arch: [line.arch] }, setting.place);
    lines.push(line);
  });
  return lines;
}

function bootLine(setting: Setting): BootLine {
  const { needs, rest } = tagged(setting.fields);
  const [file = '', name = '', server = ''] = rest.map(({ text }) => text);
  if (file === '' && name === '' && server === '') throw invalid(setting.place, 'this names no boot file');
  const ip = parseIpv4(server);
  return {
    kind: 'boot',
    setting,
    needs,
    ...(file === '' ? {} : { file }),
    ...(name === '' ? {} : { name }),
    ...(ip === undefined || ip === 0 ? {} : { server: formatIpv4(ip) }),
    ...(server === '' || ip !== undefined ? {} : { lookedUp: server }),
  };
}

function optionLine({ setting, needs, code, values }: OptionLine, reading: Reading): BootLine {
  const text = values.map((value) => value.text).join(',');
  if (code === SIADDR) {
    const ip = parseIpv4(text);
    if (ip === undefined) throw invalid(setting.place, `${quoted(text)} is not an IPv4 address`);
    return { kind: 'option', setting, needs, server: formatIpv4(ip) };
  }
  if (text === '') return { kind: 'option', setting, needs };
  const own = reading.networks.map(({ text: { server } }) => server).find((server) => server !== undefined);
  const meant = text === '0.0.0.0' ? (own ?? text) : text;
  return { kind: 'option', setting, needs, ...(code === 67 ? { file: text } : { name: meant }) };
}

/** `pxe-service=[tag:TAG,]KIND,"words"[,file or kind of server][,server]`. */
function serviceLine(setting: Setting): ServiceLine {
  const { needs, rest } = tagged(setting.fields);
  const [kind, words, base, server] = rest;
  const arch = archOf(kind);
  if (kind === undefined || arch === undefined) {
    const said = quoted(kind?.text ?? '');
    throw invalid(kind?.place ?? setting.place, `${said} is no kind of firmware that dnsmasq knows`);
  }
  if (words === undefined) throw invalid(setting.place, 'pxe-service needs the words of its item');
  const ip = server === undefined ? undefined : parseIpv4(server.text);
  const isType = base === undefined || /^-?\d+$/.test(base.text);
  return {
    kind: 'service',
    setting,
    needs,
    arch,
    tag: `pxe-${FIRMWARES[arch] ?? arch}`,
    words: words.text,
    type: isType ? Number(base?.text ?? 0) : -1,
    // Firmware adds the number of the layer where the name has no ending.
    ...(isType ? {} : { file: base.text.includes('.') ? base.text : `${base.text}.0` }),
    ...(ip === undefined || ip === 0 ? {} : { server: formatIpv4(ip) }),
    ...(server === undefined || server.text === '' || ip !== undefined ? {} : { lookedUp: server.text }),
  };
}

function archOf(kind: Field | undefined): number | undefined {
  const text = kind?.text.toLowerCase() ?? '';
  const named = FIRMWARES.indexOf(text);
  if (named >= 0) return named;
  const number = /^\d{1,5}$/.test(text) ? Number(text) : undefined;
  return number !== undefined && number <= 65_535 ? number : undefined;
}
