import { Body, Controller, Post } from '@nestjs/common';

import { Code } from '../common/action-error';
import { Logger } from '../common/logger';
import { EmailService } from './email.service';
import { RegisterUserArgs, type RegisterUserOutput } from './types.gen';
import { EmailTakenError, tokenHours, type User, UserService } from './user.service';

/** Implements the action registerUser. */
@Controller('actions')
export class UserController {
  constructor(
    private readonly userService: UserService,
    private readonly emailService: EmailService,
    private readonly logger: Logger,
  ) {}

  /**
   * Makes an account and sends a mail with a link that proves that the address is its owner's. Input that breaks a rule
   * and an address that is taken are answers with success false, not errors.
   */
  @Post('register-user')
  async registerUser(@Body() { input }: RegisterUserArgs): Promise<RegisterUserOutput> {
    const { valid, errors, input: registration } = this.userService.validateRegistration(input);
    if (!valid) {
      return { success: false, user: null, message: 'Validation failed', errors, error_code: Code.validation };
    }
    // Looking first spares the hash when the answer is no; create decides.
    if ((await this.userService.findByEmail(registration.email)) !== null) {
      return emailTaken();
    }
    const token = this.userService.newToken();
    let user: User;
    try {
      user = await this.userService.create(
        {
          email: registration.email,
          password_hash: await this.userService.hashPassword(registration.password),
          name: registration.name,
          company: registration.company,
        },
        token,
      );
    } catch (error) {
      if (error instanceof EmailTakenError) {
        return emailTaken();
      }
      throw error;
    }
    this.logger.info('user registered', { registered_user_id: user.id });
    const sent = await this.sendVerification(user, token);
    return {
      success: true,
      user: { id: user.id, email: user.email, name: user.name, email_verified: user.email_verified },
      message: sent
        ? 'User registered successfully. Please check your email for verification.'
        : 'User registered successfully, but the verification email could not be sent.',
      errors: null,
      error_code: null,
    };
  }

  private async sendVerification(user: User, token: string): Promise<boolean> {
    try {
      await this.emailService.sendVerificationEmail(user.email, user.name, token, tokenHours);
      return true;
    } catch (error) {
      this.logger.error('verification mail not sent', { registered_user_id: user.id, error });
      return false;
    }
  }
}

function emailTaken(): RegisterUserOutput {
  const code = 'EMAIL_ALREADY_REGISTERED';
  return {
    success: false,
    user: null,
    message: 'Email already registered',
    errors: [{ field: 'email', message: 'Email is already in use', code }],
    error_code: code,
  };
}
