/** What a simulated node does, in this order. `ready`: the reports up to the one that says so. */
export const STORM_STEPS = [
  'firmware-dhcp',
  'loader',
  'loader-dhcp',
  'script',
  'kernel',
  'initrd',
  'system-dhcp',
  'inventory',
  'bundle',
  'ready',
] as const;

export type StormStep = (typeof STORM_STEPS)[number];

/**
 * Why a simulated node gave up. `no-answer`: nothing came within the limit. `nak`: DHCP refused the address. `no-boot-file`: the answer names none, or none that can be fetched.
 * `tftp-error`: the server sent an ERROR. `http-404` and so on: that status. `incomplete`: less or more came than was announced. `damaged`: the
 * checksum is another.
 */
export type StormFailureCode =
  | 'no-answer'
  | 'nak'
  | 'no-boot-file'
  | 'tftp-error'
  | 'connection'
  | 'incomplete'
  | 'damaged'
  | 'fault'
  | `http-${number}`;

/** A step of a simulated node that failed. */
export class StormFailure extends Error {
  readonly code: StormFailureCode;

  constructor(code: StormFailureCode, message: string = code) {
    super(message);
    this.name = 'StormFailure';
    this.code = code;
  }
}
