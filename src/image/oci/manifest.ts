import { z } from 'zod';
import { ReveilleError } from '../../errors.ts';
import { readJson } from '../readJson.ts';
import { DIGEST } from './blobs.ts';

// https://github.com/opencontainers/image-spec: image-layout.md, image-index.md, manifest.md, config.md. Docker's own
// media types mean the same.

const digest = z.string().regex(DIGEST);
const platform = z.object({ os: z.string(), architecture: z.string() });
const descriptor = z.object({
  mediaType: z.string().optional(),
  digest,
  platform: platform.optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
const index = z.object({ manifests: z.array(descriptor) });
const manifest = z.object({ config: descriptor, layers: z.array(descriptor) });
const config = z.object({
  os: z.string().optional(),
  architecture: z.string().optional(),
  rootfs: z.object({ diff_ids: z.array(digest) }),
});
const saved = z.array(
  z.object({ Config: z.string(), RepoTags: z.array(z.string()).nullish(), Layers: z.array(z.string()) }),
);

export type Descriptor = z.output<typeof descriptor>;
export type Manifest = z.output<typeof manifest>;
export type Config = z.output<typeof config>;
/** One image of `manifest.json`, as `docker save` writes it. */
export type SavedImage = z.output<typeof saved>[number];

/** Reads `index.json` or an index within it. */
export const parseIndex = (text: string) => parse(index, text, 'index').manifests;
/** Reads a manifest: the configuration and the layers of one image. */
export const parseManifest = (text: string): Manifest => parse(manifest, text, 'manifest');
/** Reads an image's configuration. */
export const parseConfig = (text: string): Config => parse(config, text, 'configuration');
/** Reads `manifest.json` of `docker save`. */
export const parseSaved = (text: string): readonly SavedImage[] => parse(saved, text, 'manifest.json');

function parse<T>(schema: z.ZodType<T>, text: string, what: string): T {
  const value = readJson(schema, text);
  if (value !== undefined) return value;
  throw new ReveilleError('IMAGE_BUILD_FAILED', `the ${what} of the container image does not read`);
}

/** Whether a descriptor leads to an index (several images) and not to one image. */
export function leadsToIndex({ mediaType }: Descriptor): boolean {
  return mediaType?.endsWith('.index.v1+json') === true || mediaType?.endsWith('.manifest.list.v2+json') === true;
}

/** Signatures and bills of material lie beside images and are none. */
export function isImage({ annotations, platform: on }: Descriptor): boolean {
  return annotations?.['vnd.docker.reference.type'] === undefined && on?.os !== 'unknown';
}

/** The names that an image of an index goes by: a tag, or a whole name with its tag. */
export function namesOf({ annotations = {} }: Descriptor): readonly string[] {
  const names = [annotations['io.containerd.image.name'], annotations['org.opencontainers.image.ref.name']];
  return names.filter((name) => name !== undefined);
}

/**
 * Of the images of an archive, those that are meant by a tag: the tag itself, `NAME:TAG`, or the end of a longer name.
 * Without a tag there must be one. Throws ReveilleError that names what there is.
 */
export function chooseByTag<T>(
  images: readonly T[],
  names: (of: T) => readonly string[],
  tag: string | undefined,
): T[] {
  if (tag === undefined && images.length <= 1) return [...images];
  const fits = (name: string) => name === tag || name.endsWith(`:${tag}`) || name.endsWith(`/${tag}`);
  const chosen = tag === undefined ? [] : images.filter((image) => names(image).some(fits));
  if (chosen.length > 0) return chosen;
  const all = [...new Set(images.flatMap((image) => names(image)))].join(', ') || 'images without names';
  throw new ReveilleError(
    'IMAGE_BUILD_FAILED',
    tag === undefined
      ? `the archive holds several container images: ${all}`
      : `the archive holds no container image ${tag}: it holds ${all}`,
    { hint: 'name one: from: { oci: FILE, tag: TAG }' },
  );
}
