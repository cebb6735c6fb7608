import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';

import { Logger } from '../common/logger';
import { escapeHtml } from './email.service';
import { UserService } from './user.service';

/**
 * Answers the link in the verification mail. It is for browsers, so it asks for no secret: the token is the secret.
 */
@Controller('verify-email')
export class VerifyEmailController {
  constructor(
    private readonly userService: UserService,
    private readonly logger: Logger,
  ) {}

  @Get()
  async verify(
    @Query('token') token: unknown,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<string> {
    response.set({
      'Content-Type': 'text/html; charset=utf-8',
      'Cache-Control': 'no-store',
      'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      'Referrer-Policy': 'no-referrer', // the address of this page holds the token
    });
    if (request.method === 'HEAD') {
      return ''; // mail scanners look at links with HEAD; that must not use the token up
    }
    const [status, title, text] = await this.answer(typeof token === 'string' ? token : '');
    response.status(status);
    return page(title, text);
  }

  private async answer(token: string): Promise<[status: number, title: string, text: string]> {
    try {
      const result = await this.userService.verifyEmail(token);
      switch (result.outcome) {
        case 'verified':
          this.logger.info('email verified', { verified_user_id: result.user.id });
          return [200, 'Email address verified', `Thank you, ${result.user.name}. You can close this page.`];
        case 'used':
          return [410, 'Link already used', 'This link has been used before. Your email address is verified.'];
        case 'expired':
          return [410, 'Link expired', 'This link is no longer valid. Please ask for a new one.'];
        case 'unknown':
          return [404, 'Link not valid', 'This link is not valid. Please check that you opened all of it.'];
      }
    } catch (error) {
      this.logger.error('email not verified', { error });
      return [500, 'Something went wrong', 'Please try the link again in a few minutes.'];
    }
  }
}

function page(title: string, text: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${escapeHtml(title)}</title>
    <style>
      body { font-family: system-ui, sans-serif; line-height: 1.5; max-width: 32rem; margin: 20vh auto; padding: 0 1rem }
    </style>
  </head>
  <body>
    <h1>${escapeHtml(title)}</h1>
    <p>${escapeHtml(text)}</p>
  </body>
</html>
`;
}
