import { jest } from '@jest/globals';
import { Test } from '@nestjs/testing';

import { createLogger, Logger } from '../common/logger';
import { EmailService } from './email.service';
import { UserController } from './user.controller';
import { registrationFaults } from './user.rules';
import { EmailTakenError, type User, UserService } from './user.service';

const input = { email: 'test@example.com', password: 'password123', name: 'Test User', company: null };

const user: User = {
  id: '7f2a3a4e-0000-4000-8000-000000000001',
  email: input.email,
  name: input.name,
  company: null,
  email_verified: false,
  created_at: new Date(0),
};

describe('UserController', () => {
  let controller: UserController;
  const userService = {
    validateRegistration: jest.fn<UserService['validateRegistration']>(),
    findByEmail: jest.fn<UserService['findByEmail']>(),
    hashPassword: jest.fn<UserService['hashPassword']>(),
    newToken: jest.fn<UserService['newToken']>(),
    create: jest.fn<UserService['create']>(),
  };
  const emailService = { sendVerificationEmail: jest.fn<EmailService['sendVerificationEmail']>() };
  const lines: string[] = [];

  beforeEach(async () => {
    lines.length = 0;
    jest.resetAllMocks();
    userService.validateRegistration.mockImplementation((given) => {
      const errors = registrationFaults(given);
      return { valid: errors.length === 0, errors, input: given };
    });
    userService.findByEmail.mockResolvedValue(null);
    userService.hashPassword.mockResolvedValue('hash');
    userService.newToken.mockReturnValue('token');
    userService.create.mockResolvedValue(user);
    const module = await Test.createTestingModule({
      controllers: [UserController],
      providers: [
        { provide: UserService, useValue: userService },
        { provide: EmailService, useValue: emailService },
        { provide: Logger, useValue: createLogger('info', { write: (line) => void lines.push(line) }) },
      ],
    }).compile();
    controller = module.get(UserController);
  });

  it('registers a user', async () => {
    await expect(controller.registerUser({ input })).resolves.toEqual({
      success: true,
      user: { id: user.id, email: input.email, name: input.name, email_verified: false },
      message: 'User registered successfully. Please check your email for verification.',
      errors: null,
      error_code: null,
    });
    expect(userService.create).toHaveBeenCalledWith(
      { email: input.email, password_hash: 'hash', name: input.name, company: null },
      'token',
    );
    expect(emailService.sendVerificationEmail).toHaveBeenCalledWith(input.email, input.name, 'token', 24);
    expect(lines.join()).not.toContain(input.password);
  });

  it.each([
    ['is found', () => userService.findByEmail.mockResolvedValue(user)],
    ['is made at the same time', () => userService.create.mockRejectedValue(new EmailTakenError())],
  ])('refuses an address whose account %s', async (_, arrange) => {
    arrange();
    const result = await controller.registerUser({ input });
    expect(result).toMatchObject({ success: false, user: null, error_code: 'EMAIL_ALREADY_REGISTERED' });
    expect(result.errors).toContainEqual({
      field: 'email',
      message: 'Email is already in use',
      code: 'EMAIL_ALREADY_REGISTERED',
    });
    expect(emailService.sendVerificationEmail).not.toHaveBeenCalled();
  });

  it('reports every field at fault, and stores nothing', async () => {
    const result = await controller.registerUser({ input: { email: '', password: 'short', name: '', company: null } });
    expect(result).toMatchObject({ success: false, message: 'Validation failed', error_code: 'VALIDATION_ERROR' });
    expect(result.errors?.map((error) => `${error.field} ${error.code}`)).toEqual([
      'email REQUIRED_FIELD',
      'password INVALID_LENGTH',
      'name REQUIRED_FIELD',
    ]);
    expect(userService.create).not.toHaveBeenCalled();
  });

  it('keeps the account when the mail cannot be sent', async () => {
    emailService.sendVerificationEmail.mockRejectedValue(new Error('connection refused'));
    await expect(controller.registerUser({ input })).resolves.toMatchObject({
      success: true,
      message: 'User registered successfully, but the verification email could not be sent.',
    });
    expect(lines.join()).toContain('verification mail not sent');
  });

  it('leaves other failures to the error filter', async () => {
    userService.create.mockRejectedValue(new Error('connection lost'));
    await expect(controller.registerUser({ input })).rejects.toThrow('connection lost');
  });
});
