import { Controller, Get, Post, Query, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';

import { readText } from '../common/body';
import { Logger } from '../common/logger';
import { escapeHtml } from './email.service';
import { type Invitation, InvitationService } from './invitation.service';
import { passwordFault } from './user.rules';

/** Bounds what the form sends: a token and a password. */
const maxFormBytes = 16 << 10;

interface Answer {
  status: number;
  title: string;
  text: string;
  /** With a token there is a form. */
  token?: string;
}

const refusals: Readonly<Record<Exclude<Invitation, 'open'>, Answer>> = {
  used: {
    status: 410,
    title: 'Link already used',
    text: 'This link has been used before. You can sign in with your password.',
  },
  expired: { status: 410, title: 'Link expired', text: 'This link is no longer valid. Please ask for a new one.' },
  unknown: {
    status: 404,
    title: 'Link not valid',
    text: 'This link is not valid. Please check that you opened all of it.',
  },
};

/**
 * Answers the link in an invitation, and takes the password that is chosen there. It is for browsers, so it asks for no
 * secret: the token is the secret. Only the form uses it up, not the link, which scanners of mail follow.
 */
@Controller('accept-invitation')
export class AcceptInvitationController {
  constructor(
    private readonly invitations: InvitationService,
    private readonly logger: Logger,
  ) {}

  @Get()
  async form(@Query('token') token: unknown, @Res({ passthrough: true }) response: Response): Promise<string> {
    return this.page(response, async () => {
      const link = typeof token === 'string' ? token : '';
      const found = await this.invitations.check(link);
      return found === 'open' ? form(200, 'It needs at least 8 characters.', link) : refusals[found];
    });
  }

  @Post()
  async accept(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<string> {
    return this.page(response, async () => {
      let sent: URLSearchParams;
      try {
        sent = new URLSearchParams(await readText(request, maxFormBytes));
      } catch {
        return { status: 400, title: 'Form not valid', text: 'Please open the link in your mail again.' };
      }
      return this.choose(sent.get('token') ?? '', sent.get('password') ?? '');
    });
  }

  private async choose(token: string, password: string): Promise<Answer> {
    const found = await this.invitations.check(token); // spares the hash
    if (found !== 'open') {
      return refusals[found];
    }
    const fault = passwordFault(password);
    if (fault !== null) {
      return form(400, `${fault.message}.`, token);
    }
    const user = await this.invitations.accept(token, password);
    if (user === null) {
      const now = await this.invitations.check(token);
      return refusals[now === 'open' ? 'used' : now];
    }
    this.logger.info('invitation accepted', { invited_user_id: user.id });
    return { status: 200, title: 'Password saved', text: `Thank you, ${user.name}. You can sign in now.` };
  }

  private async page(response: Response, work: () => Promise<Answer>): Promise<string> {
    response.set({
      'Content-Type': 'text/html; charset=utf-8',
      'Cache-Control': 'no-store',
      'Content-Security-Policy':
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
      'Referrer-Policy': 'no-referrer', // the address of this page holds the token
    });
    let answer: Answer;
    try {
      answer = await work();
    } catch (error) {
      this.logger.error('invitation not accepted', { error });
      answer = { status: 500, title: 'Something went wrong', text: 'Please try the link again in a few minutes.' };
    }
    response.status(answer.status);
    return document(answer);
  }
}

function form(status: number, text: string, token: string): Answer {
  return { status, title: 'Choose a password', text, token };
}

function passwordForm(token: string): string {
  return `
    <form method="post" action="/accept-invitation">
      <input type="hidden" name="token" value="${escapeHtml(token)}">
      <label for="password">Password</label>
      <input type="password" id="password" name="password" minlength="8" maxlength="128"
        autocomplete="new-password" required>
      <button type="submit">Save</button>
    </form>`;
}

function document({ title, text, token }: Answer): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${escapeHtml(title)}</title>
    <style>
      body { font-family: system-ui, sans-serif; line-height: 1.5; max-width: 32rem; margin: 20vh auto; padding: 0 1rem }
      label, input, button { display: block; font: inherit; margin: 0.5rem 0 }
      input { box-sizing: border-box; padding: 0.5rem; width: 100% }
    </style>
  </head>
  <body>
    <h1>${escapeHtml(title)}</h1>
    <p>${escapeHtml(text)}</p>${token === undefined ? '' : passwordForm(token)}
  </body>
</html>
`;
}
