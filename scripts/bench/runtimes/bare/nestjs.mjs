// What NestJS alone does with the requests that the benchmark of runtimes sends.
import 'reflect-metadata';
import { Body, Controller, HttpCode, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';

const redis = new Redis(process.env.REDIS_URL);
const errors = ['Email', 'Password', 'Name'].map((field) => ({
  field: field.toLowerCase(),
  message: `${field} is required`,
  code: 'REQUIRED_FIELD',
}));

class Actions {
  registerUser(body) {
    void body.input;
    return { success: false, user: null, message: 'Validation failed', errors, error_code: 'VALIDATION_ERROR' };
  }

  async cachedUser(body) {
    void body.input;
    return JSON.parse(await redis.get('bench:user'));
  }
}
for (const [name, path] of [['registerUser', 'register-user'], ['cachedUser', 'cached-user']]) {
  const method = Object.getOwnPropertyDescriptor(Actions.prototype, name);
  Post(path)(Actions.prototype, name, method);
  HttpCode(200)(Actions.prototype, name, method);
  Body()(Actions.prototype, name, 0);
}
Controller('actions')(Actions);

class App {}
Module({ controllers: [Actions] })(App);

const app = await NestFactory.create(App, { logger: false });
await app.listen(Number(process.env.PORT), '127.0.0.1');
