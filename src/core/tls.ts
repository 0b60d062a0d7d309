/** What connections are encrypted with. All texts are PEM. */

/** Who a server or a client is: a certificate, with those that lead to its authority, and its key. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
  /** Of the key; undefined: it is not encrypted. */
  readonly passphrase?: string | undefined;
}

/** Of the connections of clients. */
export interface ServerTls extends Identity {
  /** Whose certificate is not by one of these is refused; undefined: nobody is asked for one. */
  readonly clientCa: string | undefined;
}

/** Of the connections to a backend. */
export interface BackendTls {
  /** In place of the authorities that the machine trusts. */
  readonly ca: string | undefined;
  /** What the gateway shows when it is asked. */
  readonly identity: Identity | undefined;
  /** What is asked for and must stand in the certificate, in place of the host of the url. */
  readonly serverName?: string | undefined;
}

/** What is wrong with a text, in words that go on after the name of its file; undefined: nothing. */
export interface TlsChecks {
  readonly certificates: (pem: string) => string | undefined;
  readonly key: (pem: string, passphrase?: string) => string | undefined;
  /** Of two that are well by themselves. */
  readonly pair: (identity: Identity) => string | undefined;
}
