import { expect, it } from 'vitest';
import { signatureFault } from '../support/aws-signature.ts';

/** "GET Object" among the examples of AWS's "Signature Calculations for the Authorization Header". */
const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const headers = {
  host: 'examplebucket.s3.amazonaws.com',
  range: 'bytes=0-9',
  'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  'x-amz-date': '20130524T000000Z',
  authorization:
    'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,' +
    'SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,' +
    'Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
};
const request = { method: 'GET', url: '/test.txt', headers };
const nothing = Buffer.alloc(0);

it('the door before the S3 server takes what AWS gives as rightly signed, and nothing else', () => {
  expect(signatureFault(secret, request, nothing)).toBeUndefined();
  expect(signatureFault('wrong', request, nothing)).toBe('SignatureDoesNotMatch');
  expect(signatureFault(secret, { ...request, url: '/t.txt' }, nothing)).toBe(
    'SignatureDoesNotMatch',
  );
  expect(signatureFault(secret, request, Buffer.from('x'))).toBe('XAmzContentSHA256Mismatch');
});
