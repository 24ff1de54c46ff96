/** What a roll does to the world. Each may be done twice without harm, in the states in which it is given. */
export type Action =
  | { readonly kind: 'disable'; readonly node: string; readonly service: string; readonly reason: string }
  | { readonly kind: 'enable'; readonly node: string; readonly service: string }
  | {
      readonly kind: 'migrate-live' | 'migrate-cold' | 'confirm';
      readonly node: string;
      readonly instance: string;
    }
  | { readonly kind: 'reboot'; readonly node: string };

/** Why an action could not be done; `refused` if the cloud said no, and did not merely stay silent. */
export type Failure = { readonly refused: boolean; readonly words: string };
