import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ReveilleError } from '../../errors.ts';
import type { OpenRack } from '../open.ts';
import type { Instance } from './instances.ts';

/** The orders that an operator of the lab cloud carries out, with their results. */
export type Errands = {
  /** Makes flavor, network and image for instances, from a node's image on the shelf; `peers` are all their numbers. */
  readonly resources: {
    readonly ask: { readonly image: string; readonly peers: readonly number[] };
    readonly result: undefined;
  };
  /** Starts an instance on a host, or where the scheduler places it. */
  readonly launch: { readonly ask: { readonly number: number; readonly host?: string }; readonly result: Instance };
  /** Moves a running instance to another node and waits until it runs there. */
  readonly migrate: { readonly ask: { readonly instance: string }; readonly result: Instance };
  readonly instance: { readonly ask: { readonly instance: string }; readonly result: Instance };
  readonly console: { readonly ask: { readonly instance: string }; readonly result: string };
};
type What = keyof Errands;
export type Errand = { [W in What]: { readonly id: number; readonly what: W } & Errands[W]['ask'] }[What];

/** Operates the lab cloud from within the rack, where its controller is reached. */
export type CloudOperator = {
  /** Rejects with LAB_FAILED in the cloud's words. */
  run<W extends What>(what: W, ask: Errands[W]['ask']): Promise<Errands[W]['result']>;
  close(): void;
};

const INSIDE = join(import.meta.dirname, 'operatorInside.ts');

/** Starts an operator; `images` is the folder of the shelf. */
export function openOperator(rack: OpenRack, cloudsFile: string, images: string): CloudOperator {
  const child = rack.spawn([process.execPath, INSIDE, cloudsFile, images], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  const failAll = () => {
    for (const { reject } of waiting.values())
      reject(new ReveilleError('LAB_FAILED', 'the operator of the lab cloud ended'));
    waiting.clear();
  };
  child.once('close', failAll);
  child.stdin?.on('error', () => {});
  if (child.stdout) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { id, result, error } = JSON.parse(line) as { id: number; result?: unknown; error?: string };
      const asker = waiting.get(id);
      waiting.delete(id);
      if (error === undefined) asker?.resolve(result);
      else asker?.reject(new ReveilleError('LAB_FAILED', error));
    });
  }
  let last = 0;
  return {
    run(what, ask) {
      const id = ++last;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
        child.stdin?.write(`${JSON.stringify({ id, what, ...ask })}\n`);
      });
    },
    close: () => child.stdin?.end(),
  };
}
