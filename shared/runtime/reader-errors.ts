/** What HQ says to programs and BI tools that read it, and to those who let them; part of errors.ts. */
export const readerErrors = {
  key_missing: {
    message: 'The request carries no API key.',
    hint: 'Send `Authorization: Bearer fbk_…`; `footbridge-hq key create` prints one.',
    status: 401,
  },
  key_refused: {
    message: 'The API key is unknown, expired or revoked.',
    hint: 'See `footbridge-hq key list`, or create another with `footbridge-hq key create`.',
    status: 401,
  },
  scope_missing: {
    message: 'The API key may not be used for this.',
    hint: 'Create a key with the scope named above.',
    status: 403,
  },
  query_invalid: {
    message: 'A parameter of the address is missing, unknown or out of range.',
    hint: 'Correct the parameter named above.',
    status: 400,
  },
  key_unknown: {
    message: 'The organization has no API key of this id.',
    hint: 'See `footbridge-hq key list`.',
  },
  login_unknown: {
    message: 'The organization has no BI login of this name.',
    hint: 'See `footbridge-hq bi list`.',
  },
} as const;
