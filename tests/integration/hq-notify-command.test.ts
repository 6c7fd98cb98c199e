import { execFile } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MailServer } from '../support/mail-server.ts';
import { openMailServer } from '../support/mail-server.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase, packageRoot } from '../support/postgres.ts';
import { ToldPeople } from '../support/told-people.ts';

describeOnEngines('people are told of alerts', (engine) => {
  let hq: TestDatabase;
  let smtp: MailServer;
  let people: ToldPeople;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    smtp = await openMailServer();
  });
  afterAll(async () => {
    await smtp.close();
    await hq.close();
  });
  beforeEach(async () => {
    people = await ToldPeople.begin(hq, smtp);
  });

  describe('by footbridge-hq notify', () => {
    const command = path.join(packageRoot, 'dist/cloud-sync/cli/footbridge-hq.js');
    const run = (args: string[], environment: Record<string, string> = {}) =>
      new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
        const env = {
          ...process.env,
          DATABASE_URL: hq.service_url,
          FOOTBRIDGE_LOG_LEVEL: 'trace',
          ...environment,
        };
        const asked = [command, 'notify', ...args, '--org', people.organization.slug, '--json'];
        execFile(process.execPath, asked, { env }, (error, stdout, stderr) => {
          resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
        });
      });

    it('from adding a route to a test that arrives, without a secret in any output', async () => {
      const login = { user: 'hq', password: 'pa55-of-hq' };
      const asking = await openMailServer(login);
      try {
        const store = await people.addStore();
        await people.person('store_manager', 'mar@acme.example', [store]);
        expect((await run(['add', '--role', 'store_manager'])).code).toBe(0);
        const hook = await run(['add', '--webhook', 'http://127.0.0.1:9/hook']);
        const { secret, id } = JSON.parse(hook.stdout) as { secret: string; id: string };
        expect(secret).toMatch(/^whsec_/);
        const mail = { SMTP_URL: asking.url, FOOTBRIDGE_HQ_MAIL_FROM: 'hq@hq.example' };
        const wrong = { ...mail, SMTP_URL: asking.url.replace('pa55', 'wr0ng') };
        const outputs = [
          await run(['test'], wrong),
          await run(['remove', id]),
          await run(['test'], mail),
          await run(['sent']),
        ];
        expect(outputs.map(({ code }) => code)).toEqual([1, 0, 0, 0]);
        expect(asking.received.map(({ to }) => to)).toEqual(['mar@acme.example']);
        const text = outputs.map(({ stdout, stderr }) => stdout + stderr).join();
        expect(text).toContain('mar@acme.example');
        for (const hidden of ['pa55', 'wr0ng', secret, secret.slice(6, 20)]) {
          expect(text).not.toContain(hidden);
        }
      } finally {
        await asking.close();
      }
    }, 90_000);

    it('refusing what it does not understand', async () => {
      const wrong = [
        ['add'],
        ['add', '--role', 'boss'],
        ['add', '--log', '--severity', 'grave'],
        ['add', '--log', '--quiet', '25:00-07:00'],
      ];
      const codes = await Promise.all(wrong.map(async (args) => (await run(args)).code));
      expect(codes).toEqual([2, 2, 2, 2]);
    }, 90_000);
  });
});
