import { access } from 'node:fs/promises';
import { LOADERS, type Loader } from './boot/loaders.ts';
import type { ErrorCode } from './errors.ts';
import type { Shelf } from './image/shelf.ts';
import type { SiteNode } from './model/node.ts';
import type { Site } from './site/site.ts';

/** Something that nodes of the site need and that is not there yet. */
export type Missing = { readonly code: ErrorCode; readonly message: string };

/** What keeps nodes of the site from booting, though the site itself is right: images that are not built, loaders that are not installed. */
export async function missingFor(
  site: Site,
  shelf: Pick<Shelf, 'current'>,
  isThere = isFile,
): Promise<readonly Missing[]> {
  const nodes = [...site.nodes.values()];
  const missing: Missing[] = [];
  for (const [image, users] of Map.groupBy(nodes, ({ image }) => image)) {
    if (image === undefined || (await shelf.current(image).catch(() => undefined))) continue;
    const message = `image ${image} of ${some(users)} is not built: reveille image build ${image}`;
    missing.push({ code: 'IMAGE_MISSING', message });
  }
  if (nodes.some(({ image, boot }) => (image ?? boot) !== undefined)) {
    for (const loader of neededLoaders(nodes)) {
      if (await isThere(loader.path)) continue;
      const message = `the loader ${loader.file} is not installed: apt-get install ${loader.debianPackage}`;
      missing.push({ code: 'TOOL_MISSING', message });
    }
  }
  return missing;
}

/** The loaders that the nodes' choices lead to, whatever their firmware turns out to be. */
function neededLoaders(nodes: readonly SiteNode[]): readonly Loader[] {
  const choices = new Set(nodes.map(({ loader }) => loader));
  const loaders = Object.values(LOADERS).flatMap((row) => [...choices].map((choice) => row[choice]));
  return [...new Map(loaders.filter((loader) => loader !== undefined).map((loader) => [loader.file, loader])).values()];
}

/** `node01`, `node01 and 15 more`. */
function some([first, ...others]: readonly SiteNode[]): string {
  return others.length === 0 ? (first?.name ?? '') : `${first?.name} and ${others.length} more`;
}

function isFile(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
