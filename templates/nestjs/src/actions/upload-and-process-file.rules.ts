import { sniff } from '../files/content';
import type { NewFile } from '../files/file.service';
import { maxPixels } from '../files/image';
import { imageSize } from '../files/image-size';
import { isPlainName } from '../storage/storage';
import type { FileUploadInput, ValidationError } from './types.gen';

/** 10 MiB. */
export const maxFileBytes = 10 << 20;

const maxNameBytes = 255;

const defaultEdge = 200;
const maxEdge = 2000;

/** An upload whose parts are as they should be. */
export type Upload = Omit<NewFile, 'userId'>;

/** Turns the input into an upload, or says what is wrong with it. The content decides what a file is, not the claim. */
export function checkUpload(input: FileUploadInput): Upload | ValidationError[] {
  const errors: ValidationError[] = [];
  if (!isFileName(input.file_name)) {
    errors.push(fault('file_name', 'File name is not valid', 'INVALID_FORMAT'));
  }
  const checked = checkContent(input);
  if ('code' in checked) {
    errors.push(checked);
  }
  const box = {
    width: input.processing_options?.thumbnail_width ?? defaultEdge,
    height: input.processing_options?.thumbnail_height ?? defaultEdge,
  };
  for (const [side, value] of Object.entries(box)) {
    if (value < 1 || value > maxEdge) {
      const message = `Thumbnail ${side} must be from 1 to ${maxEdge}`;
      errors.push(fault(`processing_options.thumbnail_${side}`, message, 'INVALID_RANGE'));
    }
  }
  return 'code' in checked || errors.length > 0 ? errors : { name: input.file_name, ...checked, box };
}

/** Finds the first thing that is wrong with the content: what comes later rests on what comes before. */
function checkContent(input: FileUploadInput): Omit<Upload, 'name' | 'box'> | ValidationError {
  if (input.file_data === '') {
    return fault('file_data', 'File data is required', 'REQUIRED_FIELD');
  }
  const content = decodeBase64(input.file_data);
  if (content === null) {
    return fault('file_data', 'File data is not valid base64', 'INVALID_FORMAT');
  }
  if (content.length > maxFileBytes) {
    return fault('file_data', 'File is larger than 10 MiB', 'FILE_TOO_LARGE');
  }
  if (content.length !== input.file_size) {
    return fault('file_size', 'File size does not match the data', 'SIZE_MISMATCH');
  }
  const contentType = sniff(content);
  const isImage = contentType?.startsWith('image/') === true;
  const image = isImage ? imageSize(content) : null;
  if (contentType === null || (isImage && image === null)) {
    return fault('file_type', 'File type is not supported', 'UNSUPPORTED_TYPE');
  }
  if (normalType(input.file_type) !== contentType) {
    return fault('file_type', 'File type does not match the content', 'TYPE_MISMATCH');
  }
  if (image !== null && image.width * image.height > maxPixels) {
    return fault('file_data', 'Image is larger than 40 megapixels', 'IMAGE_TOO_LARGE');
  }
  return { contentType, content, image };
}

/** Lets in what can be the last element of a path on any system and in any URL. */
function isFileName(name: string): boolean {
  return isPlainName(name) && Buffer.byteLength(name) <= maxNameBytes && !/\p{Cc}/u.test(name);
}

/** A media type in lower case, without parameters. */
function normalType(type: string): string {
  const plain = type.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return plain === 'image/jpg' ? 'image/jpeg' : plain;
}

/** Buffer.from would overlook what is no base64. */
function decodeBase64(text: string): Buffer | null {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : null;
}

function fault(field: string, message: string, code: string): ValidationError & { code: string } {
  return { field, message, code };
}
