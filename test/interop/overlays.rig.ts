import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { BundleFile } from '../../src/node/bundle.ts';
import { Identities, SAMPLE_IDENTITY } from '../../src/node/identity.ts';
import type { Facts } from '../../src/node/inventory.ts';
import { filesOf, siteWith, withSite } from '../../src/node/testing/renderFixture.ts';
import { emptyStore } from '../../src/state/testing/fakes.ts';

export type Laid = AsyncDisposable & {
  /** The folder that stands for the node's root. */
  readonly root: string;
  readonly files: ReadonlyMap<string, BundleFile>;
  /** Where a path of the node is. */
  at(path: string): string;
};

/** Lays what node01 gets with shipped overlays below a temporary folder, as the agent would below `/`. */
export async function lay(overlays: readonly string[], vars: object = {}, facts?: Facts): Promise<Laid> {
  // Its certificate is a sample: openssl and libvirt look at real ones elsewhere.
  const identity = {
    ...SAMPLE_IDENTITY,
    ...(await new Identities(emptyStore().identities).of('node01', { rsa: true })),
  };
  const files = await withSite(siteWith(overlays, vars), (site) =>
    filesOf(site, 'node01', { identity, ...(facts === undefined ? {} : { facts }) }),
  );
  const root = mkdtempSync(join(tmpdir(), 'reveille-overlay-'));
  const at = (path: string) => join(root, path);
  for (const file of files.values()) {
    if (!('content' in file)) continue;
    mkdirSync(dirname(at(file.path)), { recursive: true });
    writeFileSync(at(file.path), file.content);
    chmodSync(at(file.path), file.mode);
  }
  return {
    root,
    files,
    at,
    [Symbol.asyncDispose]: async () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Runs a program to its end; gives what it printed, on both ways out. Throws, with what it said, if it failed. */
export function run(program: string, ...args: readonly string[]): string {
  try {
    return execFileSync('sh', ['-c', 'exec "$0" "$@" 2>&1', program, ...args], { encoding: 'utf8', timeout: 60_000 });
  } catch (error) {
    const { stdout = '', message } = error as { stdout?: string; message: string };
    throw new Error(`${program} ${args.join(' ')}: ${message}\n${stdout}`);
  }
}
