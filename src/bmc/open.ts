import { ReveilleError } from '../errors.ts';
import type { SiteNode } from '../model/node.ts';
import type { SiteSecrets } from '../node/siteSecrets.ts';
import { openIpmi } from './ipmi.ts';
import { openRedfish } from './redfish.ts';
import type { BmcSession } from './session.ts';

/** Opens the BMC of a node, its password read now. Sends nothing. Throws BMC_MISSING or SECRET_MISSING. */
export async function openBmc(
  { name, bmc }: Pick<SiteNode, 'name' | 'bmc'>,
  secrets: SiteSecrets,
): Promise<BmcSession> {
  if (bmc === undefined) {
    throw new ReveilleError('BMC_MISSING', `the site gives ${name} no BMC`, {
      hint: "bmc: { address: 10.1.0.51, user: admin, password: '{{ secrets.bmc }}' }",
    });
  }
  const { vars } = await secrets.reveal({ password: bmc.password });
  const password = String(vars.password);
  return bmc.kind === 'ipmi' ? openIpmi(bmc, password) : openRedfish(bmc, password);
}
