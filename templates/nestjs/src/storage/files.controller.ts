import { Controller, Get, Param, Query, Res, StreamableFile } from '@nestjs/common';
import type { Response } from 'express';

import { ActionError, Code } from '../common/action-error';
import { contentDisposition, contentType, isPlainName } from './storage';
import { StorageService } from './storage.service';

/**
 * Serves the files of the local storage to who has a signed address. It asks for no secret: the signature says that the
 * service itself has given the address out.
 */
@Controller('files')
export class FilesController {
  constructor(private readonly storage: StorageService) {}

  @Get(':id/:name')
  async file(
    @Param('id') id: string,
    @Param('name') name: string,
    @Query('expires') expires: unknown,
    @Query('signature') signature: unknown,
    @Res({ passthrough: true }) response: Response,
  ): Promise<StreamableFile> {
    response.set({ 'Cache-Control': 'private, no-store', 'Referrer-Policy': 'no-referrer' }); // the address lets anyone in
    const fault = this.storage.urls.fault(id, name, text(expires), text(signature));
    if (fault === 'forged') {
      throw ActionError.forbidden('Link is not valid');
    }
    if (fault === 'expired') {
      throw new ActionError({ status: 410, code: 'EXPIRED', message: 'Link has expired' });
    }
    const content = isPlainName(name) ? await this.storage.local?.read(`${id}/${name}`) : null;
    if (content == null) {
      throw new ActionError({ status: 404, code: Code.notFound, message: 'File not found' });
    }
    response.set('Content-Disposition', contentDisposition(name));
    return new StreamableFile(content, { type: contentType(name) });
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
