import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** The functions of the addon in `native/`, which `setup/native` compiles. Those that call the system throw errors with its code. */
export type Native = {
  /** Gives the thread that calls this niceness (0 to 19): on busy processors, others come first. */
  lowerPriority(niceness: number): void;
};

const FOLDER = join(import.meta.dirname, '../../native');

/** Set to `no`: the portable code serves, as where the addon is not built. */
export const NATIVE_VARIABLE = 'REVEILLE_NATIVE';

let loaded: { readonly native: Native | undefined } | undefined;

/**
 * The addon; `undefined` where it is not compiled of these very sources, cannot be loaded, or `REVEILLE_NATIVE=no` is set. Whoever asks has a
 * portable path.
 */
export function native(): Native | undefined {
  loaded ??= { native: process.env[NATIVE_VARIABLE] === 'no' ? undefined : load() };
  return loaded.native;
}

function load(): Native | undefined {
  try {
    const addon = addonPath();
    return existsSync(addon) ? (createRequire(import.meta.url)(addon) as Native) : undefined;
  } catch {
    return undefined;
  }
}

/** Where `setup/native` puts the addon that these sources make. */
export function addonPath(): string {
  const hash = createHash('sha256');
  for (const ending of ['c', 'h']) {
    for (const file of globSync(`*.${ending}`, { cwd: FOLDER }).sort()) hash.update(readFileSync(join(FOLDER, file)));
  }
  return join(FOLDER, 'build', `${hash.digest('hex')}.node`);
}
