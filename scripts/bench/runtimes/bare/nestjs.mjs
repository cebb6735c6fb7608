// What a NestJS engineer writes for the requests that the benchmark of runtimes sends, and no more: Nest's ValidationPipe
// checks the input. The classes are plain JavaScript, so what TypeScript makes of decorators is done by hand.
import 'reflect-metadata';
import { Body, Controller, HttpCode, HttpException, Module, Post, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Type } from 'class-transformer';
import { IsEmail, IsNotEmpty, IsOptional, IsString, IsUUID, Length, MaxLength, ValidateNested } from 'class-validator';
import { Redis } from 'ioredis';

const redis = new Redis(process.env.REDIS_URL);

function field(type, name, ...decorators) {
  for (const decorate of decorators) {
    decorate(type.prototype, name);
  }
}

const required = (label) => IsNotEmpty({ message: `${label} is required`, context: { code: 'REQUIRED_FIELD' } });
const format = { context: { code: 'INVALID_FORMAT' } };
const length = { context: { code: 'INVALID_LENGTH' } };

class RegisterUserInput {}
field(RegisterUserInput, 'email', required('Email'), IsEmail({}, format));
field(RegisterUserInput, 'password', required('Password'), Length(8, 128, length));
field(RegisterUserInput, 'name', required('Name'), IsString(format), MaxLength(100, length));
field(RegisterUserInput, 'company', IsOptional(), IsString(format), MaxLength(200, length));

class RegisterUserArgs {}
field(RegisterUserArgs, 'input', ValidateNested(), Type(() => RegisterUserInput));

class CachedUserArgs {}
field(CachedUserArgs, 'id', IsUUID(undefined, format));

class Actions {
  registerUser() {
    throw new Error('the benchmark sends no input that fits');
  }

  async cachedUser() {
    return JSON.parse(await redis.get('bench:user'));
  }
}
for (const [name, path, args] of [
  ['registerUser', 'register-user', RegisterUserArgs],
  ['cachedUser', 'cached-user', CachedUserArgs],
]) {
  const method = Object.getOwnPropertyDescriptor(Actions.prototype, name);
  Post(path)(Actions.prototype, name, method);
  HttpCode(200)(Actions.prototype, name, method);
  Body('input')(Actions.prototype, name, 0);
  Reflect.defineMetadata('design:paramtypes', [args], Actions.prototype, name);
}
Controller('actions')(Actions);

class App {}
Module({ controllers: [Actions] })(App);

/** The guide's answer to an input that breaks rules. */
function refuse(faults) {
  const errors = faults
    .flatMap((fault) => (fault.children?.length ? fault.children : [fault]))
    .map(({ property, constraints, contexts }) => {
      const [rule, message] = Object.entries(constraints)[0];
      return { field: property, message, code: contexts[rule].code };
    });
  const error_code = 'VALIDATION_ERROR';
  return new HttpException({ success: false, user: null, message: 'Validation failed', errors, error_code }, 200);
}

const app = await NestFactory.create(App, { logger: false });
app.disable('x-powered-by');
app.disable('etag');
app.useGlobalPipes(
  new ValidationPipe({ transform: true, whitelist: true, stopAtFirstError: true, exceptionFactory: refuse }),
);
await app.listen(Number(process.env.PORT), '127.0.0.1');
