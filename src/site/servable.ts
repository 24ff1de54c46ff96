import type { Finding } from '../model/finding.ts';
import { type Loaded, loadSite } from './load.ts';
import type { Site } from './site.ts';

/**
 * What keeps a site that loads from being served. A file that was cut off, or emptied by a copy onto a full disk, is still a
 * site of its form; one without a network answers nobody, and takes the place of no other.
 */
export function unservable({ networks }: Pick<Site, 'networks'>): readonly Finding[] {
  if (networks.size > 0) return [];
  return [
    {
      place: { file: 'site.yaml', line: 1, col: 1 },
      message: 'the site has no network, so that nobody would be answered',
      hint: 'declare one below networks: (was the file cut off, or its disk full?)',
    },
  ];
}

/**
 * Whether `text` is what a copy that broke off leaves of `before`: its beginning, up to somewhere within a line. Where the cut
 * falls between two lines it may be an edit, and is taken for one as long as no section is gone and most of the file is left.
 */
export function isCutOff(text: string, before: string): boolean {
  if (text === '' || text.length >= before.length || !before.startsWith(text)) return false;
  const lost = before.slice(text.length);
  if (!text.endsWith('\n') && !lost.startsWith('\n')) return true;
  return /^[^\s#]/m.test(lost) || lost.trim().length > text.length;
}

/** A site as it was loaded, with the text of its site.yaml. */
export type LoadedText = { readonly loaded: Loaded; readonly text: string };

/** Loads a site to be served: like `loadSite`, and whole only if it can be. `before` is the text that is served now. */
export async function loadServable(
  folder: string,
  { before = '', stateFolder }: { readonly before?: string; readonly stateFolder?: string | undefined } = {},
): Promise<LoadedText> {
  const loaded = await loadSite(folder, stateFolder === undefined ? {} : { stateFolder });
  const { text = '' } = loaded;
  if (!loaded.ok) return { loaded, text };
  const findings = isCutOff(text, before) ? [cutOff(text)] : unservable(loaded.site);
  return { loaded: findings.length === 0 ? loaded : { ok: false, findings, warnings: loaded.warnings }, text };
}

function cutOff(text: string): Finding {
  const lines = text.split('\n');
  const within = lines.at(-1) !== '';
  return {
    place: { file: 'site.yaml', line: lines.length, col: (lines.at(-1)?.length ?? 0) + 1 },
    message: within
      ? 'the file ends here, in the middle of a line that went on before'
      : 'the file ends here, and much followed before',
    hint: `was it still being copied, or is its disk full? Write it again${within ? '' : '; if it is meant, end it with a comment'}`,
  };
}
