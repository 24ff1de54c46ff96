import type { Place } from '../../errors.ts';
import type { Weight } from '../draft.ts';
import type { Why } from '../reason.ts';

/** Something that a file says, and where. */
export type Said<T = string> = { readonly value: T; readonly place: Place };

/**
 * What a label starts: a file of a certain type, as the directive says it (`kernel` leaves it to the file), or
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

/** What choosing a label does in a menu: boot it, or go to another menu, leave the menus, show a text. */
export type MenuAction = 'boot' | 'exit' | 'goto' | 'quit' | 'help';

/** One label as pxelinux keeps it: by the first word of its line. */
export type Label = Said & {
  /** The whole line behind `label`, with its last blanks: the name that menu.c32 knows. */
  readonly line: string;
  readonly type: LabelType;
  /** Whether a directive says what it starts; else its own name is that of its kernel. */
  readonly hasKernel: boolean;
  /** What follows the type's directive: a file name and perhaps words; the label itself where no directive is given. */
  readonly start: Said;
  /** The words of its own `append`, or of the one for all labels; empty for `append -`. */
  readonly append: Said;
  readonly initrd?: Said;
  readonly ipappend: number;
  readonly title?: string;
  /** The titles of the submenus that it stands in. */
  readonly menus: readonly string[];
  readonly action: MenuAction;
  /** The menu that `menu goto` or `menu exit` names. */
  readonly goesTo?: string;
  readonly isHidden: boolean;
  readonly isDisabled: boolean;
  /** Its own, or that of a submenu that it stands in. */
  readonly hasPassword: boolean;
};

/** A row of a menu. */
export type MenuRow =
  | { readonly kind: 'label'; readonly label: Label }
  | { readonly kind: 'submenu'; readonly title: string }
  | { readonly kind: 'gap' };

/** One menu as menu.c32 shows it. */
export type MenuList = {
  /** What `menu goto` names it by. */
  readonly tag: string;
  readonly rows: readonly MenuRow[];
  /** Index of the row that is chosen at first; 0 where nothing says another. */
  readonly defaultRow: number;
  /** Tenths of a second; 0 waits without end. */
  readonly timeout?: Said<number>;
  readonly onTimeout?: Said;
};

/** A line that has no part in a site: the directive, how it was written, and why. */
export type Unused = Said & { readonly directive: string; readonly why: Why; readonly weight: Weight };

/** One configuration with everything that it includes. */
export type Config = {
  /** Path below the tree's root; of several that menu.c32 is given, the first. */
  readonly file: string;
  /** The file, or those that menu.c32 is given. */
  readonly given: readonly string[];
  /** Every file that was read for it, what is included too. */
  readonly files: readonly string[];
  /** All of them, in their order, hidden and disabled ones too. */
  readonly labels: readonly Label[];
  readonly menus: readonly MenuList[];
  /** The menu that is shown first, where `default` does not name a label of another. */
  readonly startMenu: MenuList;
  readonly default?: Said;
  readonly ui?: Said;
  /** As pxelinux' prompt has them: whichever menu they stand in. Tenths of a second; 0 waits without end. */
  readonly onTimeout?: Said;
  readonly timeout?: Said<number>;
  readonly totalTimeout?: Said<number>;
  readonly prompt?: Said<boolean>;
  /** Whether only labels can be started (`implicit 0`). */
  readonly labelsOnly: boolean;
  /** Whether no words can be added to a kernel's name (`allowoptions 0`). */
  readonly namesOnly: boolean;
  /** Whether the prompt is never shown (`noescape 1`). */
  readonly neverPrompts: boolean;
  /** `menu shiftkey`: the default boots at once unless a key is held. */
  readonly isForShiftKey: boolean;
  /** `menu hidden`: no menu is shown until a key is pressed. */
  readonly isHiddenMenu: boolean;
  readonly serial?: Said;
  readonly title?: Said;
  readonly unused: readonly Unused[];
};
