import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { ReveilleError } from '../../errors.ts';
import { Findings } from '../../site/finding.ts';
import { readYaml } from '../../site/yaml.ts';
import type { ImportContext } from '../context.ts';
import type { SiteDraft } from '../draft.ts';
import { invalid, Problems } from '../invalid.ts';
import { type Layer, Layers } from './layers.ts';
import { Translation } from './translation.ts';

const LONGEST_FILE = 10_000_000;

/**
 * Reads Warewulf 4's nodes.conf into a draft: profiles and nodes, and a network for each subnet that nodes boot in. Throws
 * FILE_MISSING, or IMPORT_INVALID for all that cannot be read, at its places.
 */
export async function readWarewulf(
  draft: SiteDraft,
  file: string,
  context: Omit<ImportContext, 'tree'>,
): Promise<void> {
  const name = basename(file);
  const findings = new Findings();
  const text = await textOf(file);
  const deep = tooDeep(text);
  if (deep !== undefined) throw invalid({ file: name, ...deep }, 'it is nested too deeply');
  const yaml = readYaml(name, text, findings);
  const problems = new Problems();
  for (const { place, message, hint } of findings.errors) problems.add(invalid(place, message, hint));
  problems.throwAll();

  const layers = new Layers(yaml, draft, problems);
  for (const key of Object.keys(layers.mapAt([]))) {
    if (!['WW_INTERNAL', 'nodeprofiles', 'nodes'].includes(key)) {
      const why = `Warewulf's nodes.conf has no such key, and passes it over`;
      draft.remark('left', yaml.keyPlace([key]), key, why);
    }
  }
  const profiles = layersAt('nodeprofiles', layers);
  const nodes = layersAt('nodes', layers);
  const version = Number(layers.mapAt([]).WW_INTERNAL ?? Number.NaN);
  new Translation({ draft, problems, profiles, nodes, context, version, place: yaml.keyPlace(['nodes']) }).write();
  problems.throwAll();
}

/** Brackets and lists within each other: more than any configuration has, less than the YAML parser's memory bears. */
const DEEPEST = 200;
const DASHES = /^[ \t]*(?:[-?][ \t]+){200}/;

/** Where brackets, or the dashes of lists, stand within too many others. */
function tooDeep(text: string): { readonly line: number; readonly col: number } | undefined {
  for (const [i, line] of text.split('\n').entries()) {
    if (DASHES.test(line)) return { line: i + 1, col: 1 };
    let open = 0;
    for (let col = 0; col < line.length; col++) {
      const sign = line[col];
      if (sign === '[' || sign === '{') open++;
      else if (sign === ']' || sign === '}') open--;
      if (open > DEEPEST) return { line: i + 1, col: col + 1 };
    }
  }
  return undefined;
}

async function textOf(file: string): Promise<string> {
  try {
    if ((await stat(file)).size > LONGEST_FILE) {
      throw invalid({ file: basename(file), line: 1, col: 1 }, `this file is longer than ${LONGEST_FILE / 1e6} MB`);
    }
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof ReveilleError) throw error;
    throw new ReveilleError(
      'FILE_MISSING',
      `${file} cannot be read: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function layersAt(key: string, layers: Layers): ReadonlyMap<string, Layer> {
  return new Map(Object.keys(layers.mapAt([key])).map((name) => [name, layers.read([key, name])]));
}
