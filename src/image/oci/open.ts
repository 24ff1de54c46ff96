import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ReveilleError } from '../../errors.ts';
import { archiveBlobs, type Blobs, folderBlobs, readText, verifiedBlob, verifyLayer, verifyText } from './blobs.ts';
import {
  type Config,
  chooseByTag,
  type Descriptor,
  isImage,
  leadsToIndex,
  namesOf,
  parseConfig,
  parseIndex,
  parseManifest,
  parseSaved,
} from './manifest.ts';

/** The layers of a container image, the lowest first, as tars that may be compressed. */
export type Layers = readonly string[];

/**
 * Finds the layers of an image in an OCI layout (a folder or an archive) or in what `docker save` writes. Everything is
 * compared with its digest. An archive is written out into `work`. `architecture` is Node's word for it. Throws
 * ReveilleError.
 */
export async function openImage(
  path: string,
  options: { readonly tag?: string | undefined; readonly architecture: string; readonly work: string },
): Promise<Layers> {
  const isFolder = (await stat(path)).isDirectory();
  const blobs = isFolder ? await folderBlobs(path) : await archiveBlobs(path, join(options.work, 'blobs'));
  const architecture = GO_NAMES.get(options.architecture) ?? options.architecture;
  if ((await blobs.file('index.json')) !== undefined) return layoutLayers(blobs, options.tag, architecture);
  if ((await blobs.file('manifest.json')) !== undefined) return savedLayers(blobs, options.tag, architecture);
  throw new ReveilleError('IMAGE_BUILD_FAILED', `${path} is neither an OCI layout nor what docker save writes`, {
    hint: 'a root file system as a tar is from: { tar: FILE }',
  });
}

/** Containers name architectures as Go does. */
const GO_NAMES: ReadonlyMap<string, string> = new Map([
  ['x64', 'amd64'],
  ['ia32', '386'],
]);

async function layoutLayers(blobs: Blobs, tag: string | undefined, architecture: string): Promise<Layers> {
  const named = parseIndex(await readText(blobs, 'index.json')).filter(isImage);
  // Images of one name, or of none, differ by their platform.
  const groups = Map.groupBy(named, (image) => namesOf(image).join(' '));
  const chosen = chooseByTag([...groups.values()], (group) => group.flatMap(namesOf), tag).flat();
  const images = new Map<string, { readonly config: Config; readonly layers: readonly Descriptor[] }>();
  const others = new Set<string>();
  for (const leaf of await leaves(blobs, chosen, 0)) {
    const manifest = parseManifest(await verifiedText(blobs, leaf.digest));
    const config = parseConfig(await verifiedText(blobs, manifest.config.digest));
    const of = leaf.platform?.architecture ?? config.architecture ?? architecture;
    if (of === architecture) images.set(leaf.digest, { config, layers: manifest.layers });
    else others.add(of);
  }
  if (images.size > 1) {
    throw new ReveilleError('IMAGE_BUILD_FAILED', 'the archive holds several container images of one name', {
      hint: 'save the one that is meant alone',
    });
  }
  const [image] = images.values();
  if (image === undefined) throw noneFor(architecture, others);
  const layers: string[] = [];
  for (const { digest } of image.layers) layers.push(await verifiedBlob(blobs, digest));
  return layers;
}

const DEEPEST_INDEX = 8;

/** The images below descriptors, those within further indexes too. */
async function leaves(blobs: Blobs, from: readonly Descriptor[], depth: number): Promise<readonly Descriptor[]> {
  if (depth > DEEPEST_INDEX) throw new ReveilleError('IMAGE_BUILD_FAILED', 'the container image is nested too deep');
  const all: Descriptor[] = [];
  for (const one of from) {
    if (leadsToIndex(one)) {
      const within = parseIndex(await verifiedText(blobs, one.digest)).filter(isImage);
      all.push(...(await leaves(blobs, within, depth + 1)));
    } else {
      all.push(one);
    }
  }
  return all;
}

async function savedLayers(blobs: Blobs, tag: string | undefined, architecture: string): Promise<Layers> {
  const images = parseSaved(await readText(blobs, 'manifest.json'));
  const [image] = chooseByTag(images, ({ RepoTags }) => RepoTags ?? [], tag);
  if (image === undefined) throw new ReveilleError('IMAGE_BUILD_FAILED', 'the archive holds no container image');
  const text = await readText(blobs, image.Config);
  const named = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(image.Config)?.[1];
  if (named !== undefined) await verifyText(text, `sha256:${named}`);
  const config = parseConfig(text);
  if (config.architecture !== undefined && config.architecture !== architecture) {
    throw noneFor(architecture, [config.architecture]);
  }
  if (config.rootfs.diff_ids.length !== image.Layers.length) {
    throw new ReveilleError('IMAGE_BUILD_FAILED', 'the container image does not have the layers that it should have');
  }
  const layers: string[] = [];
  for (const [at, name] of image.Layers.entries()) {
    const path = await blobs.file(name);
    if (path === undefined)
      throw new ReveilleError('IMAGE_BUILD_FAILED', `the container image lacks its layer ${name}`);
    await verifyLayer(path, config.rootfs.diff_ids[at] ?? '');
    layers.push(path);
  }
  return layers;
}

async function verifiedText(blobs: Blobs, digest: string): Promise<string> {
  const text = await readText(blobs, `blobs/${digest.replace(':', '/')}`);
  await verifyText(text, digest);
  return text;
}

function noneFor(architecture: string, others: Iterable<string>): ReveilleError {
  const there = [...others].join(', ') || 'none';
  return new ReveilleError('IMAGE_BUILD_FAILED', `the container image is not for ${architecture}: it is for ${there}`);
}
