import type { FirmwareKind } from '../model/firmware.ts';
import type { LoaderChoice } from '../model/node.ts';
import type { BootClient } from './client.ts';

/** Who makes the configuration that a loader reads (`configurations.ts`). */
export type Configuration = 'pxelinux' | 'ipxe';

/** A file of a Debian package, by its absolute path. */
export type PackagedFile = { readonly path: string; readonly package: string };

/** Modules that a loader fetches by bare name: all files of a folder that end so. `first` is the one that it cannot start without. */
export type LoaderModules = {
  readonly folder: string;
  readonly ending: string;
  readonly first: string;
  readonly package: string;
};

/** A program that firmware or a ROM starts. */
export type Loader = PackagedFile & {
  /** The name that it is fetched by. */
  readonly file: string;
  /** Boot files of other systems that it takes the place of, in lower case. */
  readonly replaces: readonly string[];
  /** What it loads: the file of another method, whose client it then is, or the configuration that is made for it. */
  readonly next: { readonly method: string } | { readonly configuration: Configuration };
  /** Option 210, where the loader must not find its files beside itself. */
  readonly pathPrefix?: string;
  readonly modules?: LoaderModules;
};

/**
 * One way in which a machine goes on: a client of this kind, of a node whose `loader:` is one of `choices`, is given this. `ipxe-http` is
 * iPXE with HTTP, in a ROM or chained, on any firmware. With firmware comes its class in option 60 (`model/firmware.ts`).
 */
export type BootMethod = {
  readonly name: string;
  readonly client: FirmwareKind | 'ipxe-http';
  readonly choices: readonly LoaderChoice[];
} & (
  | { readonly gives: 'loader'; readonly transport: 'tftp' | 'http'; readonly loader: Loader }
  /** The configuration itself, by HTTP, in a folder of its own, under the client's MAC address. */
  | { readonly gives: 'configuration'; readonly configuration: Configuration; readonly folder: string }
);

/** The first method that fits is taken. */
export const METHODS: readonly BootMethod[] = [
  {
    name: 'ipxe-script',
    client: 'ipxe-http',
    choices: ['auto', 'ipxe'],
    gives: 'configuration',
    configuration: 'ipxe',
    folder: 'ipxe',
  },
  {
    name: 'bios-ipxe',
    client: 'bios',
    choices: ['auto', 'ipxe'],
    gives: 'loader',
    transport: 'tftp',
    loader: {
      file: 'undionly.kpxe',
      path: '/usr/lib/ipxe/undionly.kpxe',
      package: 'ipxe',
      replaces: ['undionly.0', 'ipxe.pxe', 'ipxe.kpxe'],
      next: { method: 'ipxe-script' },
    },
  },
  {
    name: 'bios-pxelinux',
    client: 'bios',
    choices: ['pxelinux'],
    gives: 'loader',
    transport: 'tftp',
    loader: {
      file: 'pxelinux.0',
      path: '/usr/lib/PXELINUX/pxelinux.0',
      package: 'pxelinux',
      replaces: ['lpxelinux.0', 'gpxelinux.0'],
      next: { configuration: 'pxelinux' },
      pathPrefix: '/',
      modules: {
        folder: '/usr/lib/syslinux/modules/bios',
        ending: '.c32',
        first: 'ldlinux.c32',
        package: 'syslinux-common',
      },
    },
  },
  {
    name: 'efi-x64-ipxe',
    client: 'efi-x64',
    choices: ['auto', 'ipxe'],
    gives: 'loader',
    transport: 'tftp',
    loader: {
      file: 'snponly.efi',
      path: '/usr/lib/ipxe/snponly.efi',
      package: 'ipxe',
      replaces: ['ipxe.efi', 'snp.efi'],
      next: { method: 'ipxe-script' },
    },
  },
];

/** The method for a client whose node has this `loader:`; `undefined` where none fits. */
export function methodFor(
  client: Pick<BootClient, 'firmware' | 'ipxe'>,
  choice: LoaderChoice,
  methods = METHODS,
): BootMethod | undefined {
  return methods.find(
    (method) =>
      method.choices.includes(choice) &&
      (method.client === 'ipxe-http' ? client.ipxe?.http === true : method.client === client.firmware),
  );
}

/** The loaders that firmware is given for any of these choices, each once. */
export function loadersFor(choices: ReadonlySet<LoaderChoice>, methods = METHODS): readonly Loader[] {
  const fitting = methods.filter((method) => method.choices.some((choice) => choices.has(choice)));
  return [...new Set(fitting.flatMap((method) => (method.gives === 'loader' ? [method.loader] : [])))];
}

/** The values of `loader:` that firmware is given a loader for; with `kinds` only those that one of these kinds is. */
export function servedChoices(kinds?: readonly FirmwareKind[], methods = METHODS): ReadonlySet<LoaderChoice> {
  const given = methods.filter(
    ({ client, gives }) => gives === 'loader' && (kinds?.some((kind) => kind === client) ?? true),
  );
  return new Set(given.flatMap(({ choices }) => choices));
}

/** The loader that is fetched by this name. */
export function loaderNamed(file: string, methods = METHODS): Loader | undefined {
  return loaders(methods).find((loader) => loader.file === file);
}

/** The value of `loader:` that stands for a boot file of another system, by the last part of its path. */
export function choiceFor(file: string, methods = METHODS): LoaderChoice | undefined {
  const name = lastPart(file).toLowerCase();
  for (const method of methods) {
    if (method.gives !== 'loader' || (method.loader.file !== name && !method.loader.replaces.includes(name))) continue;
    return method.choices.find((choice) => choice !== 'auto');
  }
  return undefined;
}

/** The packaged file that is fetched by this name: a loader, or one of a loader's modules. */
export function packagedFile(name: string, transport: 'tftp' | 'http', methods = METHODS): string | undefined {
  for (const method of methods) {
    if (method.gives !== 'loader' || method.transport !== transport) continue;
    const { file, path, modules } = method.loader;
    if (file === name) return path;
    if (modules && name.endsWith(modules.ending) && /^[A-Za-z0-9_.-]+$/.test(name)) return `${modules.folder}/${name}`;
  }
  return undefined;
}

/** Whether a file of this name is a loader or a module of one, ours or the operator's. */
export function isLoaderName(name: string): boolean {
  return choiceFor(name) !== undefined || /\.(c32|kpxe|efi)$/.test(name);
}

function lastPart(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}

/** The configuration that a client reads in the end which is given the method of this name. */
export function configurationOf(name: string, methods = METHODS): Configuration | undefined {
  const method = methods.find((one) => one.name === name);
  if (method === undefined || method.gives === 'configuration') return method?.configuration;
  const { next } = method.loader;
  return 'configuration' in next ? next.configuration : configurationOf(next.method, methods);
}

function loaders(methods: readonly BootMethod[]): readonly Loader[] {
  return methods.flatMap((method) => (method.gives === 'loader' ? [method.loader] : []));
}
