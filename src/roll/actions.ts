import type { ActionFailure } from '../model/rollNote.ts';

/** What a roll does to the world. Each may be done twice without harm, in the states in which it is given. */
export type Action =
  | CloudAction
  | { readonly kind: 'reboot'; readonly node: string }
  /** By its BMC: it starts anew from the network. */
  | { readonly kind: 'power-cycle'; readonly node: string };

/** What is asked of the cloud. */
export type CloudAction =
  | { readonly kind: 'disable'; readonly node: string; readonly service: string; readonly reason: string }
  | { readonly kind: 'enable'; readonly node: string; readonly service: string }
  | {
      readonly kind: 'migrate-live' | 'migrate-cold' | 'confirm';
      readonly node: string;
      readonly instance: string;
    };

/** Why an action failed; `refused` if the cloud, node or BMC refused it, and not where none answered. */
export type Failure = { readonly refused: boolean; readonly why: ActionFailure };
