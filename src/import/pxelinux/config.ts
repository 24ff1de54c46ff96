import type { Place } from '../../errors.ts';

/** Something that a file says, and where. */
export type Said<T = string> = { readonly value: T; readonly place: Place };

/**
 * What a label starts: a file of a certain type, as the directive says it (`kernel` leaves it to the file's ending), or
 * `localboot`.
 */
export type LabelType =
  | 'kernel'
  | 'linux'
  | 'boot'
  | 'bss'
  | 'pxe'
  | 'fdimage'
  | 'comboot'
  | 'com32'
  | 'config'
  | 'localboot';

/** One label as pxelinux keeps it. */
export type Label = Said & {
  readonly type: LabelType;
  /** What follows the type's directive: a file name and perhaps words; the label itself where no directive is given. */
  readonly start: Said;
  /** The words of its own `append`, or of the one for all labels; empty for `append -`. */
  readonly append: Said;
  readonly initrd?: Said;
  readonly ipappend: number;
  readonly title?: string;
  /** The titles of the submenus that it stands in. */
  readonly menus: readonly string[];
  readonly isMenuDefault: boolean;
  readonly isHidden: boolean;
  readonly isDisabled: boolean;
  readonly hasPassword: boolean;
};

/** A line that has no part in a site: the directive, how it was written, and why. */
export type Unused = Said & { readonly directive: string; readonly why: string };

/** One configuration with everything that it includes. */
export type Config = {
  /** Path below the tree's root. */
  readonly file: string;
  readonly labels: readonly Label[];
  readonly default?: Said;
  readonly ui?: Said;
  readonly onTimeout?: Said;
  /** Tenths of a second; 0 waits without end. */
  readonly timeout?: Said<number>;
  readonly prompt?: Said<boolean>;
  readonly serial?: Said;
  readonly title?: Said;
  readonly unused: readonly Unused[];
};
