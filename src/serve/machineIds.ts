import { setTimeout as delay } from 'node:timers/promises';
import type { Identities } from '../node/identity.ts';
import type { Site } from '../site/site.ts';

type MachineIds = Pick<Identities, 'machineIdOf'>;
export type KnownIds = readonly (readonly [node: string, id: string])[];

/** So many at once: the database commits them together. */
const AT_ONCE = 64;
const AGAIN_MS = 5000;

/**
 * The machine-ids of all nodes that boot an image, made ahead of their first boot where they are missing, some at a time. While the state
 * cannot be read or written they are tried again every few seconds.
 */
export class MachineIdsAhead {
  readonly #identities: MachineIds;
  readonly #send: (ids: KnownIds) => void;
  readonly #closing = new AbortController();
  #sent = new Set<string>();
  #nodes: Site['nodes'] = new Map();
  #working: Promise<void> | undefined;

  constructor(identities: MachineIds, send: (ids: KnownIds) => void) {
    this.#identities = identities;
    this.#send = send;
  }

  /** These nodes are in force from now on. */
  follow(nodes: Site['nodes']): void {
    this.#nodes = nodes;
    this.#sent = new Set([...this.#sent].filter((name) => nodes.has(name)));
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  close(): void {
    this.#closing.abort();
  }

  async #work(): Promise<void> {
    const { signal } = this.#closing;
    for (let missing = this.#missing(); missing.length > 0; missing = this.#missing()) {
      const read = await Promise.all(
        missing.map((node) =>
          this.#identities.machineIdOf(node).then(
            (id) => [node, id] as const,
            // The store reports itself what is wrong with it.
            () => undefined,
          ),
        ),
      );
      if (signal.aborted) return;
      const ids = read.filter((one) => one !== undefined);
      for (const [node] of ids) this.#sent.add(node);
      if (ids.length > 0) this.#send(ids);
      if (ids.length < missing.length) await delay(AGAIN_MS, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
    }
  }

  /** Some of the nodes whose ids were not sent yet. */
  #missing(): string[] {
    const missing: string[] = [];
    for (const [name, { image }] of this.#nodes) {
      if (image === undefined || this.#sent.has(name)) continue;
      missing.push(name);
      if (missing.length === AT_ONCE) break;
    }
    return missing;
  }
}
