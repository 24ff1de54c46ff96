import { join } from 'node:path';
import { cleanName } from '../boot/confine.ts';
import type { Menu, MenuEntry } from '../model/menu.ts';
import { type Findings, suggestion } from './finding.ts';
import { NAME_PATTERN } from './forms.ts';
import type { SiteDeclaration } from './schema.ts';
import type { Declared } from './shape.ts';
import type { Path } from './yaml.ts';

/** The menu's built-in entry for the machine's next boot device. */
export const LOCAL = 'local';

/** Names with a meaning of their own in the menu. */
const RESERVED: Readonly<Record<string, string>> = {
  node: 'it stands for what the node itself boots',
  [LOCAL]: 'it stands for the next boot device',
  menu: 'it stands for the menu itself',
  failed: 'it stands for a boot that failed',
};

/** What stands at a path on disk. */
export type PathKind = 'file' | 'folder' | 'missing';

/**
 * The menu: its entries' files, as normalized paths below `tftpRoot` (absolute; absent if the site has none), checked for
 * existence.
 */
export function resolveMenu(
  site: Declared<SiteDeclaration>,
  tftpRoot: string | undefined,
  kindOf: (path: string) => PathKind,
  findings: Findings,
): Menu {
  const { menu } = site.value;
  const entries = Object.entries(menu.entries).map(([name, declared]): MenuEntry => {
    const at: Path = ['menu', 'entries', name];
    checkName(name, site, findings);
    const below = (path: string, where: Path) => checkFile(path, where, site, tftpRoot, kindOf, findings);
    return {
      name,
      title: declared.title ?? name,
      kernel: below(declared.kernel, [...at, 'kernel']),
      initrd: declared.initrd.map((path, i) => below(path, [...at, 'initrd', i])),
      args: declared.args,
      ...(declared.ipappend === undefined ? {} : { ipappend: declared.ipappend }),
    };
  });

  const names = [...new Set(['node', LOCAL, ...site.names(['menu', 'entries'])])];
  if (!names.includes(menu.default) && !site.lost(['menu', 'entries'])) {
    const place = site.place(['menu', 'default']);
    findings.error(place, `there is no menu entry "${menu.default}"`, suggestion(menu.default, names, 'entries'));
  }
  return { timeoutSeconds: menu.timeout / 1000, default: menu.default, entries };
}

function checkName(name: string, site: Declared<SiteDeclaration>, findings: Findings): void {
  const place = () => site.keyPlace(['menu', 'entries', name]);
  const meaning = RESERVED[name];
  if (meaning !== undefined) {
    findings.error(place(), `"${name}" cannot name a menu entry`, meaning);
  } else if (!NAME_PATTERN.test(name)) {
    findings.error(place(), `"${name}" cannot name a menu entry`, 'use letters, digits, ".", "_" and "-"');
  }
}

/** The normalized name of an entry's file. */
function checkFile(
  path: string,
  at: Path,
  site: Declared<SiteDeclaration>,
  tftpRoot: string | undefined,
  kindOf: (path: string) => PathKind,
  findings: Findings,
): string {
  const clean = cleanName(path);
  if (clean === undefined) {
    findings.error(site.place(at), `"${path}" leaves tftp.root`, 'write a path below it, without ".."');
    return path;
  }
  if (tftpRoot === undefined) {
    if (!site.lost(['tftp', 'root'])) {
      findings.error(site.place(at), `"${path}" has no folder: tftp.root is not set`, 'set `tftp: { root: FOLDER }`');
    }
  } else if (kindOf(tftpRoot) === 'folder' && kindOf(join(tftpRoot, clean)) !== 'file') {
    findings.warn(site.place(at), `there is no file "${clean}" below ${tftpRoot}`, 'the entry shows but does not boot');
  }
  return clean;
}
