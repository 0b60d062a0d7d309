// Ends with 0 when the gateway of this container lives: for HEALTHCHECK, in an image without wget and curl.
// Given the address and port by the same variables as the gateway; a port that only gateway.yaml names is not seen.
import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';

const TIMEOUT_MS = 2500;
const { HOST = '', PORT = '', TLS_CERT_FILE = '' } = process.env;

const isEverywhere = HOST === '' || HOST === '0.0.0.0' || HOST === '::';
const options = {
  host: isEverywhere ? '127.0.0.1' : HOST,
  port: PORT === '' ? 3000 : PORT,
  path: '/healthz',
  timeout: TIMEOUT_MS,
  // It is this very container, whatever name is in its certificate.
  rejectUnauthorized: false,
};

(TLS_CERT_FILE === '' ? getHttp : getHttps)(options, ({ statusCode }) => {
  process.exit(statusCode === 200 ? 0 : 1);
})
  .on('timeout', () => process.exit(1))
  .on('error', () => process.exit(1));
