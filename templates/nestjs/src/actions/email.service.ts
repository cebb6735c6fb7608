import { Injectable } from '@nestjs/common';
import { createTransport } from 'nodemailer';

import { Config } from '../common/config';

/** Where SMTP servers speak TLS from the first byte (RFC 8314). */
const implicitTlsPort = 465;

/** Bounds each step of a delivery: the caller of an action is waiting for it. */
const timeoutMs = 10_000;

/** A mail to one person. Text and HTML say the same. */
export interface Email {
  to: string;
  subject: string;
  text: string;
  html: string;
}

/** Sends mail through the SMTP server of the configuration. Each message has a connection of its own. */
@Injectable()
export class EmailService {
  constructor(private readonly config: Config) {}

  /** Hands a mail to the SMTP server, or fails. */
  async send(email: Email): Promise<void> {
    const { host, port, user, password, from } = this.config.smtp;
    if (host === '') {
      throw new Error('send mail: SMTP_HOST is not set');
    }
    const transport = createTransport({
      host,
      port,
      // Encrypted wherever the server can, and without fail as soon as a password would cross the line.
      secure: port === implicitTlsPort,
      requireTLS: user !== '' && port !== implicitTlsPort,
      auth: user === '' ? undefined : { user, pass: password },
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    try {
      await transport.sendMail({ from, ...email });
    } catch (cause) {
      throw new Error(`send mail through ${host}:${port}`, { cause });
    } finally {
      transport.close();
    }
  }

  /** Sends the link that proves that an address belongs to the owner of the account. */
  async sendVerificationEmail(to: string, name: string, token: string, hours: number): Promise<void> {
    const link = `${this.config.publicUrl}/verify-email?${new URLSearchParams({ token }).toString()}`;
    await this.send({ to, subject: 'Please verify your email address', ...verificationMail(name, link, hours) });
  }
}

function verificationMail(name: string, link: string, hours: number): { text: string; html: string } {
  return {
    text: `Hello ${name},

please open this link to verify your email address:

${link}

It works once, within ${hours} hours. If you did not register, ignore this mail.
`,
    html: `<!doctype html>
<html lang="en">
  <body style="font-family: sans-serif; line-height: 1.5">
    <p>Hello ${escapeHtml(name)},</p>
    <p>please verify your email address:</p>
    <p><a href="${escapeHtml(link)}">Verify my email address</a></p>
    <p>The link works once, within ${hours} hours. If you did not register, ignore this mail.</p>
  </body>
</html>
`,
  };
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Makes text safe to stand in HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => entities[c] ?? c);
}
