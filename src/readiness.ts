import { access } from 'node:fs/promises';
import { loadersFor } from './boot/methods.ts';
import type { ErrorCode } from './errors.ts';
import type { Shelf } from './image/shelf.ts';
import type { SiteNode } from './model/node.ts';
import type { Site } from './site/site.ts';

/** Something that nodes of the site need and that is missing. */
export type Missing = { readonly code: ErrorCode; readonly message: string };

/** What keeps nodes from booting although the site itself is valid: images that are not built, loaders that are not installed. */
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
    const choices = new Set(nodes.map(({ loader }) => loader));
    for (const { file, path, package: name, modules } of loadersFor(choices)) {
      if (!(await isThere(path))) missing.push(notInstalled(`the loader ${file}`, name));
      if (modules && !(await isThere(`${modules.folder}/${modules.first}`)))
        missing.push(notInstalled(`${modules.first}, which the loader ${file} needs,`, modules.package));
    }
  }
  return missing;
}

function notInstalled(what: string, name: string): Missing {
  return { code: 'TOOL_MISSING', message: `${what} is not installed: apt-get install ${name}` };
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
