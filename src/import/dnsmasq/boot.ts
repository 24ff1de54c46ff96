import { formatIpv4, type Ipv4, parseIpv4 } from '../../net/ipv4.ts';
import { invalid } from '../invalid.ts';
import { isPxelinux } from '../pxelinux/draftNodes.ts';
import type { ProfileText, Reading } from './reading.ts';
import type { Field, Setting } from './settings.ts';
import { type Target, targets } from './tags.ts';
import { plainFirst, tagged } from './values.ts';

type BootLine = {
  readonly setting: Setting;
  readonly needs: readonly Field[];
  readonly file: string;
  readonly server?: Ipv4;
};

/** The architectures (option 93) that a `pxe-service` line is for. */
const SERVICES: { readonly [name: string]: readonly number[] } = {
  x86pc: [0],
  pc98: [1],
  ia64_efi: [2],
  alpha: [3],
  arc_x86: [4],
  intel_lean_client: [5],
  ia32_efi: [6],
  bc_efi: [7, 9],
  'x86-64_efi': [7, 9],
  xscale_efi: [8],
  arm32_efi: [10],
  arm64_efi: [11],
};

/**
 * Writes which boot file is told to whom. Where the boot files move here and a machine starts pxelinux, its node gets that
 * loader; everything else is told the file by name.
 */
export function draftBoot(reading: Reading, tree: boolean): void {
  const lines: BootLine[] = [];
  reading.each(reading.of('dhcp-boot'), (setting) => {
    lines.push(bootLine(setting));
  });
  reading.each(reading.of('pxe-service'), (setting) => {
    const line = serviceLine(setting, reading);
    if (line !== undefined) lines.push(line);
  });
  const own = (tag: string) => lines.some(({ needs }) => needs.some(({ text }) => text === tag));
  for (const line of plainFirst(lines)) {
    const where = targets(line.needs, reading, own);
    if (typeof where === 'string') reading.tell('left', line.setting, where);
    else {
      for (const target of where) put(target, line);
      reading.tell('taken', line.setting, `boot file of ${where.map(nameOf).join(', ')}`);
      if (tree) useLoader(where, line, reading);
    }
  }
  orderClasses(lines, reading);
}

/**
 * Where a machine belongs to several classes the last one counts, as the last `dhcp-boot` does in dnsmasq; what `pxe-service`
 * names gives way to all of them.
 */
function orderClasses(lines: readonly BootLine[], { classes, draft }: Reading): void {
  const rank = (wanted: string) => {
    const tag = [...classes].find(([, { name }]) => name === wanted)?.[0];
    const line = lines.findLast(
      ({ setting, needs }) => setting.keyword === 'dhcp-boot' && needs.some(({ text }) => text === tag),
    );
    return line === undefined ? -1 : lines.indexOf(line);
  };
  const names = Object.keys(draft.site.classes ?? {}).toSorted((one, other) => rank(one) - rank(other));
  if (draft.site.classes !== undefined) {
    draft.site.classes = Object.fromEntries(names.map((name) => [name, draft.site.classes?.[name] ?? {}]));
  }
}

function bootLine(setting: Setting): BootLine {
  const { needs, rest } = tagged(setting.fields);
  // Older configurations write one tag without `tag:`, in front of the file.
  const [file, , server] = rest;
  if (file === undefined || file.text === '') throw invalid(setting.place, 'this names no boot file');
  const ip = server === undefined || server.text === '' ? undefined : parseIpv4(server.text);
  return { setting, needs, file: file.text, ...(ip === undefined ? {} : { server: ip }) };
}

/** `pxe-service=x86PC, "text", file[, server]`: a boot file for one kind of firmware. */
function serviceLine(setting: Setting, reading: Reading): BootLine | undefined {
  const { needs, rest } = tagged(setting.fields);
  const [kind, , base, server] = rest;
  const arch =
    SERVICES[kind?.text.toLowerCase() ?? ''] ?? (/^\d+$/.test(kind?.text ?? '') ? [Number(kind?.text)] : undefined);
  if (kind === undefined || arch === undefined) {
    throw invalid(
      kind?.place ?? setting.place,
      `${JSON.stringify(kind?.text ?? '')} is no kind of firmware that dnsmasq knows`,
    );
  }
  if (base === undefined || /^\d+$/.test(base.text)) {
    const why =
      base?.text === '0' || base === undefined
        ? 'it boots from the disk: every menu of the site has that, as `local`'
        : 'it leads to a boot server by its number, for which Reveille has no place';
    reading.tell('left', setting, why);
    return undefined;
  }
  const made = reading.classOf(`pxe-${kind.text.toLowerCase()}`, setting.place);
  made.text.arch = arch.length === 1 ? (arch[0] ?? 0) : [...arch];
  const ip = server === undefined ? undefined : parseIpv4(server.text);
  const tag: Field = { ...kind, text: `pxe-${kind.text.toLowerCase()}` };
  // Without an ending PXE adds the number of the layer.
  const file = /\.[^/]*$/.test(base.text) ? base.text : `${base.text}.0`;
  return { setting, needs: [...needs, tag], file, ...(ip === undefined ? {} : { server: ip }) };
}

function put({ text }: Target, { file, server }: BootLine): void {
  text.bootFile = file;
  if (server !== undefined && server !== 0 && formatIpv4(server) !== ('server' in text ? text.server : undefined)) {
    text.nextServer = formatIpv4(server);
  }
}

function nameOf(target: Target): string {
  return target.kind === 'network' ? `network ${target.drafted.name}` : `${target.kind} ${target.name}`;
}

/** Nodes that are told pxelinux from here get it as their loader, so that they boot an entry of the menu. */
function useLoader(where: readonly Target[], { file, server, setting }: BootLine, reading: Reading): void {
  const isOurs =
    server === undefined ||
    reading.isOurs(server) ||
    reading.networks.some(({ text }) => text.server === formatIpv4(server));
  if (!isPxelinux(file) || !isOurs) return;
  for (const target of where) {
    if (target.kind === 'profile') {
      delete target.text.bootFile;
      delete target.text.nextServer;
      target.text.loader = 'pxelinux';
    }
    if (target.kind === 'network') delete target.text.nextServer;
  }
  if (!where.some(({ kind }) => kind === 'network')) return;
  const { site } = reading.draft;
  const name = reading.profileNames.take('pxelinux', 'boots-pxelinux');
  const text: ProfileText = { loader: 'pxelinux' };
  site.profiles = { [name]: text, ...site.profiles };
  reading.draft.comment(['profiles', name], `${setting.place.file}:${setting.place.line} ${setting.whole}`);
  for (const node of Object.values(site.nodes ?? {})) node.profiles = [name, ...(node.profiles ?? [])];
}
