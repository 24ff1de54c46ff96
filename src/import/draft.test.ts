import assert from 'node:assert/strict';
import { it } from 'node:test';
import { SiteDraft } from './draft.ts';

it('a comment is one line without control characters, whatever the configuration holds', () => {
  const draft = new SiteDraft();
  draft.comment(['networks', 'lan'], 'dnsmasq.conf:1 tag-if=set:a\u0000\u001b[31m,tag:b\r\nnodes: {}');
  assert.deepEqual(draft.commentsAt(['networks', 'lan']), ['dnsmasq.conf:1 tag-if=set:a ,tag:b  nodes: {}']);
});
