import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerReader, type HttpAnswer } from './http.ts';
import type { StormFailure } from './steps.ts';

/** An answer that comes in pieces of `size` bytes; `undefined` while it is not whole. */
function read(text: string, size: number, keep = true): { answer: HttpAnswer; whole: boolean; reader: AnswerReader } {
  const bytes = Buffer.from(text, 'latin1');
  const reader = new AnswerReader(keep);
  let whole = false;
  // The pieces lie in one buffer that is written over, as those of a socket do.
  const shared = Buffer.alloc(size);
  for (let at = 0; at < bytes.length && !whole; at += size) {
    const length = bytes.copy(shared, 0, at);
    whole = reader.take(shared.subarray(0, length));
  }
  return { answer: reader.answer(), whole, reader };
}

const ANSWERS = [
  ['with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b: c\r\n\r\nhello', 200, 'hello'],
  ['of no bytes', 'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n', 404, ''],
  ['that has no body', 'HTTP/1.1 204 No Content\r\n\r\n', 204, ''],
  [
    'in chunks',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n',
    200,
    'hello',
  ],
  [
    'in chunks with trailers',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nA: b\r\n\r\n',
    200,
    '0123456789',
  ],
  ['in no chunks', 'HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\nRetry-After: 7\r\n\r\n0\r\n\r\n', 503, ''],
] as const;

for (const [what, text, status, body] of ANSWERS)
  test(`an answer ${what} is read in whatever pieces it comes`, () => {
    for (const size of [1, 2, 3, 7, 1000]) {
      const { answer, whole } = read(text, size);
      assert.equal(whole, true);
      assert.deepEqual([answer.status, answer.body.toString(), answer.bytes], [status, body, body.length]);
    }
  });

test('headers are known in lower case, with what stands behind their first colon', () => {
  assert.equal(read(ANSWERS[0][1], 10).answer.headers.get('x-a'), 'b: c');
  assert.equal(read(ANSWERS[5][1], 10).answer.headers.get('retry-after'), '7');
});

test('a body that is not kept is counted', () => {
  const { answer } = read(ANSWERS[0][1], 4, false);
  assert.deepEqual([answer.bytes, answer.body.length], [5, 0]);
});

test('an answer without a length ends with its connection; one that is cut off does not', () => {
  const open = read('HTTP/1.0 200 OK\r\n\r\nall of it', 6);
  assert.deepEqual([open.whole, open.reader.ended(), open.answer.body.toString()], [false, true, 'all of it']);
  for (const cut of [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n',
    'HTTP/1.1 200',
    '',
  ])
    assert.equal(read(cut, 5).reader.ended(), false, cut);
});

test('what is no answer, or more than was announced, is refused in bounded memory', () => {
  const wrong = [
    'SSH-2.0-OpenSSH\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'0'.repeat(5000)}`,
    `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(5000)}`,
  ];
  for (const text of wrong)
    assert.throws(
      () => read(text, 100),
      (error: StormFailure) => error.code === 'incomplete',
      text.slice(0, 60),
    );
});
