/** Requests of the operator. */

/** 32 characters and more. */
export const ADMIN_KEY = 'the-operator-has-a-key-of-32-characters';

export const OPERATOR = { authorization: `Bearer ${ADMIN_KEY}` };

/** GET unless there is a method or a body; a body is sent as JSON. */
export function askAsOperator(url: string, method?: string, body?: unknown): Promise<Response> {
  const hasBody = body !== undefined;
  return fetch(url, {
    method: method ?? (hasBody ? 'POST' : 'GET'),
    headers: { ...OPERATOR, connection: 'close', ...(hasBody && { 'content-type': 'application/json' }) },
    ...(hasBody && { body: JSON.stringify(body) }),
  });
}
