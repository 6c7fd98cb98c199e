/** Devices that know no login but Digest, as Hikvision's event push does. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { Access, secretHash } from '../../gateway/sources/access.ts';
import { digestHash } from '../../gateway/sources/digest.ts';
import { HttpListenSource } from '../../gateway/sources/http-listen.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { python, testWith } from '../support/debian-part.ts';
import { collectFrames, eventually } from '../support/frames.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const password = 'correct horse';

async function listen(clock = systemClock) {
  const log = collectFrames();
  const access = new Access({ allow_anonymous: false, users: [] });
  access.setSensors([
    {
      username: 'west-door',
      secret_sha256: secretHash(password),
      secret_digest: digestHash('west-door', password),
      addresses: ['/west'],
    },
    { username: 'old-door', secret_sha256: secretHash(password), addresses: ['/old'] },
  ]);
  const source = new HttpListenSource({
    name: 'push',
    host: '127.0.0.1',
    port: 0,
    access,
    accept: log.accept,
    clock,
    log: silentLog,
  });
  await source.start();
  workspace.onEnd(() => source.stop());
  await eventually('listening', () => source.status().state === 'running');
  return { url: (path: string) => `http://127.0.0.1:${source.port}${path}`, frames: log.frames };
}

/** Posts a count with the Digest client of Python's standard library. @returns the HTTP status. */
async function pythonPosts(url: string, username: string, secret: string, body: string) {
  const program = `
import sys, urllib.request, urllib.error
url, user, secret, body = sys.argv[1:]
logins = urllib.request.HTTPPasswordMgrWithDefaultRealm()
logins.add_password(None, url, user, secret)
opener = urllib.request.build_opener(urllib.request.HTTPDigestAuthHandler(logins))
try:
    print(opener.open(urllib.request.Request(url, body.encode(), method='POST')).status)
except urllib.error.HTTPError as error:
    print(error.code)
`;
  const client = spawn('/usr/bin/python3', ['-c', program, url, username, secret, body]);
  const [printed] = (await once(client.stdout, 'data')) as [Buffer];
  return Number(printed.toString());
}

testWith(python, 'a client that is not ours counts by Digest', async () => {
  const { url, frames } = await listen();
  expect(await pythonPosts(url('/west'), 'west-door', password, '{"in": 3}')).toBe(200);
  expect(frames.map((frame) => Buffer.from(frame.bytes).toString())).toEqual(['{"in": 3}']);
});

testWith(python, 'a wrong password, or that of another sensor, counts nothing', async () => {
  const { url, frames } = await listen();
  expect(await pythonPosts(url('/west'), 'west-door', 'wrong', '{"in": 3}')).toBe(401);
  expect(await pythonPosts(url('/other'), 'west-door', password, '{"in": 3}')).toBe(401);
  expect(frames).toEqual([]);
});

const md5 = (text: string) => createHash('md5').update(text).digest('hex');

/** The answer to a challenge as RFC 2069 has it: no cnonce, no qop. */
function answerTo(challenge: string, path: string, method = 'POST', username = 'west-door') {
  const nonce = /nonce="([^"]*)"/.exec(challenge)?.[1] ?? '';
  const hash = digestHash('west-door', password);
  const response = md5(`${hash}:${nonce}:${md5(`${method}:${path}`)}`);
  return `Digest username="${username}", realm="footbridge", nonce="${nonce}", uri="${path}", response="${response}"`;
}

async function challengeOf(url: string): Promise<string> {
  const refused = await fetch(url, { method: 'POST', body: '{}' });
  expect(refused.status).toBe(401);
  return refused.headers.get('www-authenticate') ?? '';
}

const post = (url: string, authorization: string) =>
  fetch(url, { method: 'POST', body: '{"in": 3}', headers: { authorization } });

test('who is refused is asked for Digest first, and for Basic', async () => {
  const { url } = await listen();
  expect(await challengeOf(url('/west'))).toMatch(/^Digest realm="footbridge".*, Basic realm=/);
});

test('an old camera answers without qop', async () => {
  const { url } = await listen();
  const answer = answerTo(await challengeOf(url('/west')), '/west');
  expect((await post(url('/west'), answer)).status).toBe(200);
});

test.each([
  ['an answer for another path', (challenge: string) => answerTo(challenge, '/other')],
  ['an answer for another method', (challenge: string) => answerTo(challenge, '/west', 'GET')],
  ['the name of another login', (challenge: string) => answerTo(challenge, '/west', 'POST', 'x')],
  ['a nonce of its own', () => answerTo('nonce="k-00"', '/west')],
  ['nothing', () => 'Digest '],
  ['noise', () => `Digest ${'a="b",'.repeat(400)}`],
])('%s counts nothing', async (_what, answerOf) => {
  const { url, frames } = await listen();
  const answer = answerOf(await challengeOf(url('/west')));
  expect((await post(url('/west'), answer)).status).toBe(401);
  expect(frames).toEqual([]);
});

test('an answer that was kept for more than five minutes counts nothing', async () => {
  let later = 0;
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + later };
  const { url } = await listen(clock);
  const answer = answerTo(await challengeOf(url('/west')), '/west');
  later = 5 * 60_000 + 1;
  expect((await post(url('/west'), answer)).status).toBe(401);
});

test('a login from before Digest goes on with Basic, and has no Digest until it is made anew', async () => {
  const { url } = await listen();
  const basic = `Basic ${Buffer.from(`old-door:${password}`).toString('base64')}`;
  expect((await post(url('/old'), basic)).status).toBe(200);
  const answer = answerTo(await challengeOf(url('/old')), '/old', 'POST', 'old-door');
  expect((await post(url('/old'), answer)).status).toBe(401);
});
