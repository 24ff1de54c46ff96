import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ReveilleError } from '../errors.ts';
import { readRegular } from '../regularFile.ts';
import { LONGEST_SITE, loadSite } from './load.ts';
import type { Site } from './site.ts';

/** An edit of site.yaml: the text before and after, and the site with the edit. */
export type SiteEdit = { readonly file: string; readonly before: string; readonly after: string; readonly site: Site };

/**
 * Changes site.yaml of the site in `folder` by `change`, unless the site would not load with it; `check` may inspect the changed
 * site and throw. The file is written beside its place and renamed, with mode and owner kept; `dryRun` only computes. Throws
 * SITE_INVALID, with nothing written, if the site would not load or another edit changes the file meanwhile.
 */
export async function editSite(
  folder: string,
  change: (text: string) => string,
  { dryRun = false, check = () => {} }: { readonly dryRun?: boolean; readonly check?: (site: Site) => void } = {},
): Promise<SiteEdit> {
  const file = await realpath(join(folder, 'site.yaml')).catch((cause) => {
    throw new ReveilleError('SITE_INVALID', `there is no site.yaml in ${folder}`, {
      hint: 'name the site folder with --site DIR',
      cause,
    });
  });
  const before = decode(await readRegular(file, LONGEST_SITE), file);
  const after = change(before);
  const site = await siteWith(folder, after.replace(/^\uFEFF/, ''));
  check(site);
  if (!dryRun && after !== before) await replaceFile(file, before, after);
  return { file, before, after, site };
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ReveilleError('SITE_INVALID', `${file} is not UTF-8 text`, { cause });
  }
}

async function siteWith(folder: string, text: string): Promise<Site> {
  const loaded = await loadSite(folder, { siteText: text });
  if (loaded.ok) return loaded.site;
  const [first, ...more] = loaded.findings;
  const rest = more.length === 0 ? '' : ` (and ${more.length} more)`;
  throw new ReveilleError('SITE_INVALID', `with this edit the site would not load: ${first?.message}${rest}`, {
    ...(first === undefined ? {} : { place: first.place }),
    hint: ['nothing was written', ...(first?.hint ? [first.hint] : [])].join('\n'),
  });
}

/**
 * Writes a file of the site beside its place and renames it, with mode and owner kept. Throws SITE_INVALID, with nothing written,
 * if the file is no longer `before` or another edit is in progress.
 */
export async function replaceFile(file: string, before: string, after: string): Promise<void> {
  const beside = join(dirname(file), `.${basename(file)}.new`);
  const handle = await open(beside, 'wx', 0o600).catch((cause) => {
    const hint = `an edit is under way, or one was cut off: then remove ${beside}`;
    throw cause.code === 'EEXIST'
      ? new ReveilleError('SITE_INVALID', `${beside} is there`, { hint, cause })
      : notWritten(file, cause);
  });
  try {
    try {
      const { mode, uid, gid } = await stat(file);
      const own = await handle.stat();
      if (own.uid !== uid || own.gid !== gid) await handle.chown(uid, gid);
      await handle.chmod(mode & 0o7777);
      await handle.writeFile(after);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (decode(await readRegular(file, LONGEST_SITE), file) !== before) {
      throw new ReveilleError('SITE_INVALID', `${file} was edited meanwhile`, {
        hint: 'nothing was written; try again',
      });
    }
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    throw error instanceof ReveilleError ? error : notWritten(file, error);
  }
}

function notWritten(file: string, cause: unknown): ReveilleError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ReveilleError('SITE_INVALID', `${file} was not written: ${why}`, {
    hint: "run this as the file's owner, who may write to its folder",
    cause,
  });
}
