import type { ShelvedImage } from '../image/shelf.ts';
import { isActive, type Roll } from './record.ts';
import type { RollStore } from './rollStore.ts';

/** Which image a node boots. */
export type ImageOf = (node: { readonly name: string; readonly image?: string }) => Promise<ShelvedImage | undefined>;

/**
 * A node that is pinned boots that image, as long as the shelf has it; all others what their image's name stands for now.
 * Undefined where that was never built.
 */
export function imageOf(
  shelf: {
    current(name: string): Promise<ShelvedImage | undefined>;
    byHash(sha256: string): Promise<ShelvedImage | undefined>;
  },
  pinOf: (node: string) => string | undefined,
): ImageOf {
  return async ({ name, image }) => {
    const pin = pinOf(name);
    const pinned = pin === undefined ? undefined : await shelf.byHash(pin);
    return pinned ?? (image === undefined ? undefined : await shelf.current(image));
  };
}

/** How many rolls that ended can be taken back. */
const TAKEN_BACK = 3;

/** The images that may not leave the shelf: those nodes are pinned to, those that rolls bring, and those they came from. */
export async function imagesOfRolls(store: Pick<RollStore, 'rolls' | 'pins'>): Promise<ReadonlySet<string>> {
  const rolls = await store.rolls();
  const ended = rolls.filter((roll) => !isActive(roll)).slice(-TAKEN_BACK);
  const needed = [...rolls.filter(isActive), ...ended].flatMap((roll: Roll) =>
    roll.nodes.flatMap(({ image, before }) => (before === null ? [image] : [image, before])),
  );
  return new Set([...needed, ...(await store.pins()).values()]);
}
