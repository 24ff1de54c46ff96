import { formatPlace, type Place } from '../errors.ts';
import type { SiteNode } from '../model/node.ts';
import type { Findings } from '../site/finding.ts';
import { hostNameProblem, namesInFile } from '../site/hostName.ts';
import type { Site } from '../site/site.ts';
import type { BundleFile } from './bundle.ts';
import { renderSource } from './render.ts';
import { replaceTokens } from './replace.ts';
import type { Source } from './sources.ts';
import type { Renderer } from './templates.ts';

/** Where nodes' names are kept. */
export const HOST_NAME_PATH = '/etc/hostname';

/** The name that a node gets, and the file that sets it; `undefined` if that is the name in the site. */
type Named = { readonly node: string; readonly name: string; readonly place: Place | undefined };

/**
 * Checks the host name of each node of the site: the form of the names, and that they differ. `sourceOf` is the source of a
 * node's /etc/hostname, if any, and `sees` is what its template sees. Names that depend on `facts`, which only the machine
 * reports, are left out.
 */
export function checkHostNames(
  site: Site,
  sourceOf: (node: SiteNode) => Source | undefined,
  sees: (node: SiteNode) => object,
  renderer: Renderer,
  findings: Findings,
): void {
  const reported = new Set<string>();
  const once = (place: Place, message: string): boolean => {
    const key = `${formatPlace(place)} ${message}`;
    return !reported.has(key) && reported.add(key).has(key);
  };
  const names: Named[] = [];
  for (const node of site.nodes.values()) {
    const source = sourceOf(node);
    const replaced = node.replace.some(({ path }) => path === HOST_NAME_PATH);
    if (source === undefined) {
      names.push({ node: node.name, name: node.name, place: undefined });
      continue;
    }
    const text = textFor(node, source, replaced, sees, renderer);
    if (text === undefined) continue;
    const [first, second] = namesInFile(text);
    const at = (line: number, col: number): Place =>
      'content' in source && !source.template ? { file: source.file, line, col } : start(source);
    const place = first ? at(first.line, first.col) : start(source);
    const name = first?.name ?? '';
    const problem = hostNameProblem(name);
    if (problem && once(place, problem.message)) {
      if (problem.bad) findings.error(place, problem.message, problem.hint);
      else findings.warn(place, problem.message, problem.hint);
    }
    if (second && once(at(second.line, second.col), 'second')) {
      findings.error(at(second.line, second.col), 'a second name stands here', 'a machine has one: the first counts');
    }
    if (!problem?.bad) names.push({ node: node.name, name, place });
  }
  holdAgainst(names, findings);
}

/** A template that gives each node its name in the site, as most racks have it. It is rendered for thousands of nodes. */
const OWN_NAME = /^\{\{-? *node\.name *-?\}\}\n?$/;

/** The name in a node's file, as far as it can be known here: the check of the file itself reports its errors. */
function textFor(
  node: SiteNode,
  source: Source,
  replaced: boolean,
  sees: (node: SiteNode) => object,
  renderer: Renderer,
): string | undefined {
  if ('target' in source) return undefined;
  if (source.template) {
    const text = Buffer.from(source.content).toString();
    if (!replaced && OWN_NAME.test(text)) return `${node.name}\n`;
    if (/\bfacts\b/.test(text)) return undefined;
  }
  try {
    const seen = source.template || replaced ? sees(node) : {};
    const files = new Map<string, BundleFile>(renderSource(source, seen, renderer).map((file) => [file.path, file]));
    if (replaced) {
      const own = { ...node, replace: node.replace.filter(({ path }) => path === HOST_NAME_PATH) };
      replaceTokens(own, files, seen, renderer);
    }
    const file = files.get(HOST_NAME_PATH);
    return file && 'content' in file ? Buffer.from(file.content).toString() : undefined;
  } catch {
    return undefined;
  }
}

/** Two machines with one name are one machine to DNS, to Nova and to Neutron. */
function holdAgainst(names: readonly Named[], findings: Findings): void {
  // Names from the site come first: the file that repeats one is the fault.
  const ordered = [...names].sort((a, b) => Number(a.place !== undefined) - Number(b.place !== undefined));
  const whole = new Map<string, Named>();
  const short = new Map<string, Named>();
  // One file may name many nodes.
  const reported = new Set<string>();
  for (const named of ordered) {
    const { name, node, place } = named;
    const lower = name.toLowerCase();
    const [first = ''] = lower.split('.');
    const twin = whole.get(lower);
    const near = short.get(first);
    const again = place !== undefined && (twin ?? near) !== undefined && reported.has(formatPlace(place));
    if (place && (twin ?? near)) reported.add(formatPlace(place));
    if (again) continue;
    if (twin && place) {
      findings.error(
        place,
        `node "${node}" calls itself ${name}, as ${who(twin)} does`,
        'each machine has a name of its own',
      );
    } else if (near && place && !twin) {
      findings.warn(
        place,
        `node "${node}" calls itself ${name} and ${who(near)} ${near.name}: without their domains they are the same`,
        'what goes by short names takes them for one machine',
      );
    }
    if (!twin) whole.set(lower, named);
    if (!near) short.set(first, named);
  }
}

function who({ node, place }: Named): string {
  return `node "${node}"${place === undefined ? '' : ` (${formatPlace(place)})`}`;
}

function start({ file }: Source): Place {
  return { file, line: 1, col: 1 };
}
