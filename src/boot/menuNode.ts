import type { Mac } from '../model/mac.ts';
import type { Menu } from '../model/menu.ts';
import type { WireNode } from '../model/node.ts';
import type { BootImage } from './image.ts';

/**
 * The node whose menu is asked for, and the image it boots; `built` is absent while the image is not built, and for a node
 * that boots a menu entry. `machineId` is absent where the state cannot be read now.
 */
export type MenuNode = {
  readonly node: WireNode;
  readonly mac: Mac;
  readonly built?: BootImage;
  readonly machineId?: string;
};

/** What a menu's node is made from. */
export type MenuNodeFrom = {
  /** The image that a node boots: the one that it is pinned to, else what its image's name stands for. */
  readonly imageOf: (node: WireNode) => Promise<BootImage | undefined>;
  /** The node's machine-id; `undefined` where it cannot be read now. Never rejects: a boot does not wait for the state. */
  readonly machineIdOf: (node: string) => Promise<string | undefined>;
};

/** A node that boots something and, where that is an image, what of it is built; `undefined` for any other. */
export async function menuNode(
  from: MenuNodeFrom,
  node: WireNode | undefined,
  mac = node?.macs[0],
): Promise<MenuNode | undefined> {
  if (node === undefined || mac === undefined || (node.image ?? node.boot) === undefined) return undefined;
  const built = node.image === undefined ? undefined : await from.imageOf(node);
  if (built === undefined) return { node, mac };
  const machineId = await from.machineIdOf(node.name);
  return { node, mac, built, ...(machineId === undefined ? {} : { machineId }) };
}

/** What boots by default: the node's own `boot:`, else the menu's default, where `node` is the node's own image. */
export function defaultEntry(menu: Menu, node: WireNode | undefined): string {
  return node?.boot ?? menu.default;
}
