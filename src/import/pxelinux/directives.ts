// The directives of syslinux.cfg(5) and of its menus that have no part in a site, and why.

const CONSOLE_ONLY = 'what the console shows is the menu that Reveille makes';
const OWN_LOOKS = 'the menu that Reveille makes has looks of its own';
const NOT_NEEDED = 'it changes nothing of what is booted';

/** Directives outside `menu`, by keyword in small letters. */
export const LEFT: ReadonlyMap<string, string> = new Map(
  Object.entries({
    allowoptions: 'at the console words can be added',
    console: CONSOLE_ONLY,
    display: CONSOLE_ONLY,
    font: CONSOLE_ONLY,
    implicit: 'only entries of the menu can be chosen',
    kbdmap: CONSOLE_ONLY,
    nocomplete: NOT_NEEDED,
    noescape: 'at the console a key stops the menu',
    nohalt: NOT_NEEDED,
    onerror: 'after a failure the loader does what it does by itself: iPXE tries again, pxelinux shows its prompt',
    path: "pxelinux' modules come from Debian's package, or from the top of tftp.root",
    pxeretry: NOT_NEEDED,
    say: CONSOLE_ONLY,
    sendcookies: NOT_NEEDED,
    ...Object.fromEntries(Array.from({ length: 13 }, (_, i) => [`f${i}`, CONSOLE_ONLY])),
  }),
);

/** What follows `menu`. */
export const LEFT_OF_MENU: ReadonlyMap<string, string> = new Map([
  ...['background', 'color', 'colour', 'msgcolor', 'msgcolour', 'indent', 'separator', 'resolution', 'clear'].map(
    (word) => [word, OWN_LOOKS] as const,
  ),
  ...['autoboot', 'tabmsg', 'notabmsg', 'passprompt'].map((word) => [word, OWN_LOOKS] as const),
  ...['width', 'margin', 'passwordmargin', 'rows', 'tabmsgrow', 'cmdlinerow', 'endrow', 'passwordrow'].map(
    (word) => [word, OWN_LOOKS] as const,
  ),
  ...['timeoutrow', 'helpmsgrow', 'helpmsgendrow', 'hshift', 'vshift', 'hiddenrow', 'hiddenkey'].map(
    (word) => [word, OWN_LOOKS] as const,
  ),
  ['allowedit', 'at the console words can be added'],
  ['hidden', 'the menu is shown; `menu.timeout: 0` shows none'],
  ['immediate', NOT_NEEDED],
  ['master', 'the menu has no passwords: who is at the console can choose, and change the words'],
  ['noimmediate', NOT_NEEDED],
  ['nosave', 'what was chosen last is not kept'],
  ['onerror', 'after a failure the loader does what it does by itself'],
  ['save', 'what was chosen last is not kept'],
  ['shiftkey', 'the menu is shown; `menu.timeout: 0` shows none'],
]);
