/** Sends one message by SMTP. */
import nodemailer from 'nodemailer';
import type { MailSettings } from '../config.ts';

const deadline_ms = 15_000;

export interface Mail {
  /** The same for every attempt, so that a second delivery of one message can be told apart. */
  readonly id: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

export interface Mailer {
  /** @throws what the server said. */
  send(mail: Mail): Promise<void>;
  close(): void;
}

export function openMailer({ url, from }: MailSettings): Mailer {
  const transport = nodemailer.createTransport({
    url,
    connectionTimeout: deadline_ms,
    greetingTimeout: deadline_ms,
    socketTimeout: deadline_ms,
  });
  const host = from.slice(from.lastIndexOf('@') + 1).replace(/>$/, '');
  return {
    async send({ id, to, subject, text }) {
      await transport.sendMail({
        messageId: `<${id}@${host}>`,
        from,
        to: { name: '', address: to },
        subject,
        text,
        // Answers of an absent person help nobody (RFC 3834).
        headers: { 'Auto-Submitted': 'auto-generated' },
      });
    },
    close: () => transport.close(),
  };
}

/** The server has refused this message for good (RFC 5321: 5yz). */
export function isRefusedForGood(error: unknown): boolean {
  const code = (error as { responseCode?: unknown } | null)?.responseCode;
  return typeof code === 'number' && code >= 500;
}
