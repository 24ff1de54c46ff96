export type MenuEntry = {
  readonly name: string;
  readonly title: string;
  /** Paths below `tftp.root`. */
  readonly kernel: string;
  readonly initrd: readonly string[];
  readonly args: readonly string[];
  /** The bits of pxelinux' IPAPPEND. */
  readonly ipappend?: number;
};

/** What boots unasked where a node has no `boot` is `default`: `node` (its own image), `local` or the name of an entry. */
export type Menu = {
  readonly timeoutSeconds: number;
  readonly default: string;
  readonly entries: readonly MenuEntry[];
};
