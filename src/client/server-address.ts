/** The address of a daemon, in the form that node:http needs and in the form that people write. */
export interface ServerAddress {
  /** For messages. */
  display: string;
  connect: { host: string; port: number } | { socketPath: string };
  /** Value of the Host header. */
  hostHeader: string;
  /** Path prefix; empty or `/prefix`. */
  prefix: string;
}

/**
 * Reads `http://host:port[/prefix]` or `unix:/path/to/socket`; trailing slashes are ignored.
 * @throws TypeError for anything else.
 */
export function parseServerAddress(server: string): ServerAddress {
  if (server.startsWith('unix:')) {
    const socketPath = server.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
    if (!socketPath.startsWith('/')) throw invalid(server);
    return { display: `unix:${socketPath}`, connect: { socketPath }, hostHeader: 'localhost', prefix: '' };
  }
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url?.protocol !== 'http:' || url.username !== '' || url.search !== '' || url.hash !== '')
    throw invalid(server);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return {
    display: server.replace(/\/+$/, ''),
    connect: { host, port: url.port === '' ? 80 : Number(url.port) },
    hostHeader: url.host,
    prefix: url.pathname.replace(/\/+$/, ''),
  };
}

/**
 * True when the daemon's address is one of this machine: a Unix socket, or a loopback address. Where a tunnel leads cannot
 * be known.
 * @throws TypeError when `server` is not an address
 */
export function isLocalServer(server: string): boolean {
  const { connect } = parseServerAddress(server);
  if ('socketPath' in connect) return true;
  const host = connect.host.toLowerCase().replace(/\.$/, '');
  return (
    host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
  );
}

function invalid(server: string): TypeError {
  return new TypeError(`"${server}" is not a server address: write http://host:port or unix:/path/to/socket`);
}
