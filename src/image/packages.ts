/** One installed Debian package. */
export type Package = {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** What it cannot do without: of each list one name suffices. */
  readonly needs: readonly (readonly string[])[];
  /** Names that it stands in for. */
  readonly provides: readonly string[];
  /** Whether Debian counts it among what every system has. */
  readonly essential: boolean;
};

/** The installed packages of a dpkg status file, sorted by name. */
export function parseDpkgStatus(status: string): readonly Package[] {
  const packages: Package[] = [];
  for (const paragraph of status.split(/\n\n+/)) {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1];
    const name = field('Package');
    const version = field('Version');
    if (name === undefined || version === undefined || !/ installed$/.test(field('Status') ?? '')) continue;
    packages.push({
      name,
      version,
      architecture: field('Architecture') ?? 'all',
      needs: [...namesIn(field('Pre-Depends')), ...namesIn(field('Depends'))],
      provides: namesIn(field('Provides')).flat(),
      essential: field('Essential') === 'yes' || field('Priority') === 'required',
    });
  }
  return packages.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** `libc6 (>= 2.3), awk | mawk:any` -> [[libc6], [awk, mawk]]. */
function namesIn(relation: string | undefined): readonly (readonly string[])[] {
  return (relation ?? '')
    .split(',')
    .map((one) => one.split('|').flatMap((name) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(name)?.[1] ?? []))
    .filter((names) => names.length > 0);
}

/** What distinguishes one package's file from all others. */
export type DebId = Pick<Package, 'name' | 'version' | 'architecture'>;

/** The name of a package's file in apt's archive cache. */
export function debName(one: DebId): string {
  return `${one.name}_${one.version.replaceAll(':', '%3a')}_${one.architecture}.deb`;
}

/**
 * Which package each path came from, by dpkg's own lists (`name` or `name:arch` -> lines of absolute paths). Debian
 * links /bin, /sbin and /lib into /usr, and old lists still name the old places.
 */
export function packageOwners(fileLists: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const owners = new Map<string, string>();
  for (const [list, paths] of fileLists) {
    const name = list.replace(/:[a-z0-9]+$/, '');
    for (const line of paths.split('\n')) {
      const path = line.slice(1).replace(/^(bin|sbin|lib|lib32|lib64|libx32)\//, 'usr/$1/');
      if (path !== '') owners.set(path, name);
    }
  }
  return owners;
}
