/** The header that says who asks. Node sends a header as Latin-1: it is given the bytes of UTF-8. */
export function ownerHeader(owner: string | undefined): Record<string, string> {
  return owner === undefined ? {} : { 'x-execgo-owner': Buffer.from(owner).toString('latin1') };
}
