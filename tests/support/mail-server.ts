/** A real SMTP server that keeps what it is given, and answers what the test says. */
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

export interface ReceivedMail {
  readonly to: string;
  readonly raw: string;
}

export interface MailServer {
  readonly url: string;
  readonly received: ReceivedMail[];
  /** SMTP code with which the next message is refused. */
  refuseNext(code: number): void;
  close(): Promise<void>;
}

/** @param login user and password that it asks for. */
export async function openMailServer(login?: {
  user: string;
  password: string;
}): Promise<MailServer> {
  const received: ReceivedMail[] = [];
  let refusal: number | null = null;
  const server = new SMTPServer({
    authOptional: login === undefined,
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth(auth, _session, done) {
      const right = auth.username === login?.user && auth.password === login?.password;
      done(right ? null : new Error('535 no'), right ? { user: 'ok' } : undefined);
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const code = refusal;
        refusal = null;
        if (code !== null) {
          done(Object.assign(new Error('refused'), { responseCode: code }));
          return;
        }
        const raw = Buffer.concat(chunks).toString();
        for (const { address } of session.envelope.rcptTo) received.push({ to: address, raw });
        done();
      });
    },
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  const who = login === undefined ? '' : `${login.user}:${login.password}@`;
  return {
    url: `smtp://${who}127.0.0.1:${port}`,
    received,
    refuseNext(code) {
      refusal = code;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** The value of a header, unfolded. */
export function header(mail: ReceivedMail | undefined, name: string): string | undefined {
  const unfolded = mail?.raw.replace(/\r\n[ \t]+/g, ' ') ?? '';
  return new RegExp(`^${name}: (.*)$`, 'im').exec(unfolded)?.[1]?.trim();
}
