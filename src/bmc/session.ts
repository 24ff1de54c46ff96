export type Power = 'on' | 'off';

/**
 * A machine's BMC, as much of it as Reveille needs. Each call throws BMC_UNREACHABLE if the BMC does not answer,
 * BMC_LOGIN_REFUSED if the user may not, BMC_UNSUPPORTED if the BMC cannot, BMC_REFUSED if it refuses for another reason.
 */
export type BmcSession = {
  power(): Promise<Power>;
  /** Gives the order; the machine may take a while to follow. `cycle` is for a machine that is on. */
  change(to: Power | 'cycle'): Promise<void>;
  /** The next start, and that one alone, is from the network. */
  bootFromNetworkOnce(): Promise<void>;
};
