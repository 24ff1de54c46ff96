import { parentPort, workerData } from 'node:worker_threads';
import { ReveilleError, wordsOf } from '../errors.ts';
import { addNodes } from '../site/addNodes.ts';
import { editSite } from '../site/edit.ts';
import { lineDiff } from '../site/lineDiff.ts';
import { removeNode } from '../site/nodeText.ts';
import type { EditMessage, SiteEdited, SiteEditOrder } from './siteEdits.ts';

// Carries out one edit of site.yaml.

function post(message: EditMessage): void {
  parentPort?.postMessage(message);
}

async function carryOut(order: SiteEditOrder): Promise<SiteEdited> {
  const { folder, dryRun } = order;
  if (order.kind === 'remove') {
    const { before, after } = await editSite(folder, (text) => removeNode(text, order.name), { dryRun });
    return { nodes: [], written: !dryRun, diff: lineDiff('site.yaml', before, after) };
  }
  const { edit, entries } = await addNodes(folder, order.nodes, { dryRun });
  const nodes = entries.map(({ key, macs, ip, profiles }) => ({ name: key, macs, ip: ip ?? null, profiles }));
  return { nodes, written: !dryRun, diff: lineDiff('site.yaml', edit.before, edit.after) };
}

try {
  post({ ok: true, edited: await carryOut(workerData as SiteEditOrder) });
} catch (error) {
  if (error instanceof ReveilleError) {
    const { code, message, hint, place } = error;
    post({ ok: false, code, message, hint, place });
  } else post({ ok: false, code: '', message: wordsOf(error) });
}
