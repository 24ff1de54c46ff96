export type Power = 'on' | 'off';

/**
 * A machine's BMC, as much of it as Reveille needs. Each call throws BMC_UNREACHABLE where nobody answers, BMC_LOGIN_REFUSED where
 * the user may not, BMC_UNSUPPORTED where the BMC cannot, BMC_REFUSED where it says no for another reason.
 */
export type BmcSession = {
  power(): Promise<Power>;
  /** Gives the order; the machine may take a while to follow. `cycle` is for a machine that is on. */
  change(to: Power | 'cycle'): Promise<void>;
  /** The next start, and that one alone, is from the network. */
  bootFromNetworkOnce(): Promise<void>;
};
