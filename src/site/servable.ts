import type { Finding } from '../model/finding.ts';
import { type Loaded, loadSite } from './load.ts';
import type { Site } from './site.ts';
import type { SiteMemory } from './siteMemory.ts';

/**
 * The faults that prevent a valid site from being served. A file that was truncated, or emptied by a copy onto a full disk, may
 * still be valid; a site without a network answers no machine, and must not replace one that does.
 */
export function unservable({ networks }: Pick<Site, 'networks'>): readonly Finding[] {
  if (networks.size > 0) return [];
  return [
    {
      place: { file: 'site.yaml', line: 1, col: 1 },
      message: 'the site has no network, so that no machine would be answered',
      hint: 'declare one below networks: (was the file cut off, or its disk full?)',
    },
  ];
}

/**
 * Whether `text` is a truncated `before`: its beginning, up to somewhere within a line. A cut between two lines may be an edit,
 * and counts as one if no section is missing and most of the file is left.
 */
function isCutOff(file: string, text: string, before: string): boolean {
  if (text === '' || text.length >= before.length || !before.startsWith(text)) return false;
  const lost = before.slice(text.length);
  if (!text.endsWith('\n') && !lost.startsWith('\n')) return true;
  return file === 'site.yaml' && (/^[^\s#]/m.test(lost) || lost.trim().length > text.length);
}

/**
 * Loads a site to be served: like `loadSite`, and valid only if it can be served. `before` are the texts that are served now,
 * `memory` what earlier readings left.
 */
export async function loadServable(
  folder: string,
  {
    before = new Map(),
    stateFolder,
    memory,
  }: {
    readonly before?: ReadonlyMap<string, string>;
    readonly stateFolder?: string | undefined;
    readonly memory?: SiteMemory;
  } = {},
): Promise<Loaded> {
  const loaded = await loadSite(folder, {
    ...(stateFolder === undefined ? {} : { stateFolder }),
    ...(memory === undefined ? {} : { memory }),
  });
  if (!loaded.ok) return loaded;
  const { texts, warnings } = loaded;
  const cut = [...texts].filter(([file, text]) => isCutOff(file, text, before.get(file) ?? ''));
  const findings = [...unservable(loaded.site), ...cut.map(([file, text]) => cutOff(file, text))];
  return findings.length === 0 ? loaded : { ok: false, findings, warnings, texts };
}

function cutOff(file: string, text: string): Finding {
  const lines = text.split('\n');
  const within = lines.at(-1) !== '';
  return {
    place: { file, line: lines.length, col: (lines.at(-1)?.length ?? 0) + 1 },
    message: within
      ? 'the file ends here, in the middle of a line that went on before'
      : 'the file ends here, and much followed before',
    hint: `was it still being copied, or is its disk full? Write it again${within ? '' : '; if it is meant, end it with a comment'}`,
  };
}
