import type { Entry } from './entry.ts';
import { MODULE_LISTS, type ModuleLists } from './firstInitrd/modules.ts';
import { type Package, packageOwners, parseDpkgStatus } from './packages.ts';
import { readRootTar } from './roottar.ts';

/** What one pass over a root's tar collects; the pass that writes the image needs it from its start. */
export type RootIndex = {
  /** Every entry by path. Where a tar names a path twice, the last. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** Further names of a file, in the tar's order, by the path of the entry that holds the content. */
  readonly links: ReadonlyMap<string, readonly string[]>;
  /** Texts of /boot/config-<version>, by version. */
  readonly kernelConfigs: ReadonlyMap<string, string>;
  /** What depmod wrote of each kernel's modules, by version. */
  readonly moduleLists: ReadonlyMap<string, ModuleLists>;
  /** Files whose capabilities a cpio archive cannot carry. */
  readonly capabilities: readonly string[];
  readonly packages: readonly Package[];
  /** The contents of os-release(5); empty if there is none. */
  readonly osRelease: string;
  /** The text of /etc/fstab; empty where there is none. */
  readonly fstab: string;
  /** Which package a path came from. */
  readonly owners: ReadonlyMap<string, string>;
};

/** Reads a root's tar once, holding names and the few texts that decisions need, never contents. */
export async function indexRoot(path: string): Promise<RootIndex> {
  const entries = new Map<string, Entry>();
  const links = new Map<string, string[]>();
  const contentOf = new Map<string, string>();
  const kernelConfigs = new Map<string, string>();
  const capabilities: string[] = [];
  const fileLists = new Map<string, string>();
  const moduleLists = new Map<string, ModuleLists>();
  let status = '';
  let osRelease = '';
  let fstab = '';
  for await (const record of readRootTar(path)) {
    if (record.kind === 'link') {
      const content = contentOf.get(record.to) ?? record.to;
      if (entries.get(content) === undefined) continue;
      contentOf.set(record.path, content);
      const names = links.get(content);
      if (names === undefined) links.set(content, [record.path]);
      else names.push(record.path);
      continue;
    }
    const { entry } = record;
    entries.set(entry.path, entry);
    if (record.xattrs.has('security.capability')) capabilities.push(`/${entry.path}`);
    if (entry.kind !== 'file') continue;
    const config = /^boot\/config-(.+)$/.exec(entry.path)?.[1];
    const list = /^var\/lib\/dpkg\/info\/(.+)\.list$/.exec(entry.path)?.[1];
    const [, folder, version, kind] = /^((?:usr\/)?lib\/modules\/([^/]+))\/modules\.(\w+)$/.exec(entry.path) ?? [];
    const moduleList = MODULE_LISTS.find((one) => one === kind);
    if (folder !== undefined && version !== undefined && moduleList !== undefined) {
      const known = moduleLists.get(version) ?? { folder, dep: '', builtin: '', softdep: '', alias: '' };
      moduleLists.set(version, { ...known, [moduleList]: await text(record.content) });
    } else if (config !== undefined) kernelConfigs.set(config, await text(record.content));
    else if (list !== undefined) fileLists.set(list, await text(record.content));
    else if (entry.path === 'var/lib/dpkg/status') status = await text(record.content);
    else if (entry.path === 'etc/fstab') fstab = await text(record.content);
    else if (OS_RELEASE.has(entry.path)) osRelease = await text(record.content);
  }
  return {
    entries,
    links,
    kernelConfigs,
    moduleLists,
    capabilities,
    packages: parseDpkgStatus(status),
    osRelease,
    fstab,
    owners: packageOwners(fileLists),
  };
}

/** The first is mostly a symlink to the second. */
const OS_RELEASE = new Set(['etc/os-release', 'usr/lib/os-release']);

async function text(content: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
