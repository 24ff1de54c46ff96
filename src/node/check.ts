import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ReveilleError } from '../errors.ts';
import { type Finding, Findings } from '../site/finding.ts';
import type { Site, SiteNode } from '../site/model.ts';
import { renderSource, templateText, visible } from './render.ts';
import { readNodeFolder, readOverlay, type Source } from './sources.ts';
import { createRenderer, type Renderer } from './templates.ts';

/** One template is tried for so many nodes; what is wrong for one is mostly wrong for the first. */
const MOST_TRIED = 200;

/**
 * What is wrong with the files and templates of the site's overlays and node folders: every template is compiled, and
 * rendered for nodes that get it. What only the machine itself can tell (`facts`) is not known here, so a template that
 * asks for it is only compiled.
 */
export async function checkTemplates(site: Site): Promise<readonly Finding[]> {
  const findings = new Findings();
  const renderer = createRenderer();
  const nodes = [...site.nodes.values()];
  for (const overlay of await foldersBelow(site.root, 'overlays')) {
    const users = nodes.filter((node) => node.overlays.includes(overlay));
    checkSources(site, (await readOverlay(site.root, overlay, findings)).sources, users, renderer, findings);
  }
  for (const folder of await foldersBelow(site.root, 'nodes')) {
    const users = nodes.filter((node) => node.folders.includes(folder));
    checkSources(site, await readNodeFolder(site.root, folder, findings), users, renderer, findings);
  }
  return findings.errors;
}

function checkSources(
  site: Site,
  sources: readonly Source[],
  users: readonly SiteNode[],
  renderer: Renderer,
  findings: Findings,
): void {
  for (const source of sources) {
    if ('target' in source || !source.template) continue;
    try {
      const text = templateText(source);
      renderer.compile(source.file, text);
      if (/\bfacts\b/.test(text)) continue;
      for (const node of users.slice(0, MOST_TRIED)) {
        renderSource(source, visible({ site, node, server: ANY_SERVER }), renderer);
      }
    } catch (error) {
      if (!(error instanceof ReveilleError) || error.place === undefined) throw error;
      findings.error(error.place, error.message, error.hint);
    }
  }
}

/** Stands in for the address that a running server has. */
const ANY_SERVER = { ip: '192.0.2.1', url: 'http://192.0.2.1:8080', bootUrl: 'http://192.0.2.1:8080/boot' };

/** Folders that nobody uses are checked too: they are about to be. */
async function foldersBelow(root: string, folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return entries
    .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .sort();
}
