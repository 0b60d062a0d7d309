// What the dashboard shows, row by row. docs/observability.md says which question each row answers.
import { areas, label, lines, number, states } from './grafana.mjs';
import { BACKEND, INSTANCE, orZero, quantile, quantiles, rate, sumRate, TARGET } from './queries.mjs';

const API = `${INSTANCE},route=~"/v1/.*"`;
const REQUESTS = sumRate('http_requests_total', '', API);
/** Without lists of models, as in the alerts. */
const REQUESTS_TO_MODELS = sumRate('http_requests_total', '', `${API},route!~"/v1/models.*"`);
const FAILURES = `sum (${rate('ai_gateway_errors_total', `${INSTANCE},status=~"5.."`)} or ${rate('http_requests_total', `${INSTANCE},route="/v1/*path",status=~"5.."`)})`;
const PER_SECOND = 'suffix: tokens/s';

const overview = [
  number('Requests', 'reqps', 'Requests to the API.', { requests: REQUESTS }),
  number(
    'Failing',
    'percentunit',
    'Requests to models that fail by the gateway or the backends, before or within their answer.',
    { failing: `${orZero(FAILURES, REQUESTS_TO_MODELS)} / ${REQUESTS_TO_MODELS}` },
    [
      ['green', null],
      ['orange', 0.01],
      ['red', 0.05],
    ],
  ),
  number('Streams', 'short', 'Streams going on now.', {
    streams: `sum (ai_gateway_active_streams{${TARGET}}) or vector(0)`,
  }),
  number('First token (p95)', 's', 'One in twenty streams waits longer for its first token.', {
    p95: quantile(0.95, 'ai_gateway_time_to_first_token_seconds', ''),
  }),
  number('Tokens written', PER_SECOND, 'Tokens of answers.', {
    tokens: sumRate('ai_tokens_processed_total', '', `${TARGET},type="output"`),
  }),
  number(
    'Backends up',
    'percentunit',
    'Backends that some instance reaches.',
    { up: `avg (max by (backend) (ai_gateway_backend_up{${BACKEND}}))` },
    [
      ['red', null],
      ['orange', 0.5],
      ['green', 1],
    ],
  ),
];

const traffic = [
  areas('Requests by route', 'reqps', 'What is asked for.', {
    '{{route}}': sumRate('http_requests_total', 'route', API),
  }),
  areas('Requests by status', 'reqps', 'How it is answered; 499: the client left before it was.', {
    '{{status}}': sumRate('http_requests_total', 'status', API),
  }),
  lines('Duration of requests', 's', 'From the request to its last byte, streams included.', {
    ...quantiles('http_request_duration_seconds', API),
  }),
  areas('Streams going on', 'short', 'By model.', {
    '{{model}}': `sum by (model) (ai_gateway_active_streams{${TARGET}})`,
  }),
  areas('Streams by end', 'ops', 'How streams end. upstream_error has also what lies in the request.', {
    '{{status}}': sumRate('ai_gateway_streams_total', 'status'),
  }),
  lines('Duration on backends', 's', 'From sending a request to the end of the answer (p95).', {
    '{{backend}}': quantile(0.95, 'ai_model_inference_duration_seconds', 'backend'),
  }),
];

const latency = [
  lines('First token', 's', 'From the request to the first piece of the answer.', {
    ...quantiles('ai_gateway_time_to_first_token_seconds'),
  }),
  lines('First token by model (p95)', 's', 'Which model makes clients wait.', {
    '{{model}}': quantile(0.95, 'ai_gateway_time_to_first_token_seconds', 'model'),
  }),
  lines('First token by backend (p95)', 's', 'Which backend makes clients wait.', {
    '{{backend}}': quantile(0.95, 'ai_gateway_time_to_first_token_seconds', 'backend'),
  }),
  lines('Between two tokens', 's', 'Mean of a stream: how fluently answers are written.', {
    ...quantiles('ai_gateway_time_per_output_token_seconds'),
  }),
  lines('Between two tokens by backend (p95)', 's', 'Which backend writes slowly.', {
    '{{backend}}': quantile(0.95, 'ai_gateway_time_per_output_token_seconds', 'backend'),
  }),
  lines('Added by the gateway', 's', 'What the gateway itself adds before the first token.', {
    ...quantiles('ai_gateway_overhead_seconds', INSTANCE),
  }),
];

const tokens = [
  areas('Written by model', PER_SECOND, 'Tokens of answers.', {
    '{{model}}': sumRate('ai_tokens_processed_total', 'model', `${TARGET},type="output"`),
  }),
  areas('Written by backend', PER_SECOND, 'Tokens of answers.', {
    '{{backend}}': sumRate('ai_tokens_processed_total', 'backend', `${TARGET},type="output"`),
  }),
  lines('By type', PER_SECOND, 'cached is part of input, reasoning of output.', {
    '{{type}}': sumRate('ai_tokens_processed_total', 'type', TARGET),
  }),
];

const backends = [
  states(
    'Up',
    'What probes say; up where some instance reaches the backend. Drained: the operator keeps requests from it.',
    {
      '{{backend}}': `max by (backend) (ai_gateway_backend_up{${BACKEND}}) * on (backend) (1 + max by (backend) (ai_gateway_backend_drained{${BACKEND}}))`,
    },
    { 0: ['down', 'red'], 1: ['up', 'green'], 2: ['drained', 'blue'] },
  ),
  states(
    'Circuit',
    'Open: the backend answers probes and fails with requests, which are kept from it.',
    { '{{backend}}': `max by (backend) (ai_gateway_circuit_state{${BACKEND}})` },
    { 0: ['closed', 'green'], 1: ['half-open', 'orange'], 2: ['open', 'red'] },
  ),
  lines('In flight', 'short', 'Slots that are taken.', {
    '{{backend}}': `sum by (backend) (ai_gateway_backend_in_flight{${BACKEND}})`,
  }),
  lines('Slots taken', 'percentunit', 'Of those backends that have a limit.', {
    '{{backend}}': `sum by (backend) (ai_gateway_backend_in_flight{${BACKEND}}) / sum by (backend) (ai_gateway_backend_slots{${BACKEND}})`,
  }),
  lines('Waiting for a slot', 'short', 'Requests in line.', {
    '{{backend}}': `sum by (backend) (ai_gateway_queue_depth{${BACKEND}})`,
  }),
  lines('Wait for a slot', 's', 'Of requests that found none free.', {
    ...quantiles('ai_gateway_queue_wait_seconds', INSTANCE),
  }),
  lines('Models in memory', 'short', 'Of backends that tell (Ollama).', {
    '{{backend}}': `max by (backend) (ai_gateway_backend_resident_models{${BACKEND}})`,
  }),
  lines('Inside of backends', 'short', 'What backends that tell (vLLM) work on, and what waits in them.', {
    '{{backend}} runs': `max by (backend) (ai_gateway_backend_running_requests{${BACKEND}})`,
    '{{backend}} waits': `max by (backend) (ai_gateway_backend_waiting_requests{${BACKEND}})`,
  }),
  lines('Key-value cache', 'percentunit', 'How full it is in backends that tell (vLLM).', {
    '{{backend}}': `max by (backend) (ai_gateway_backend_cache_usage_ratio{${BACKEND}})`,
  }),
];

const failures = [
  areas('Failures by reason', 'ops', 'All that failed, clients that left among them.', {
    '{{reason}}': sumRate('ai_gateway_errors_total', 'reason', BACKEND),
  }),
  areas('Failures by backend', 'ops', 'Those that are not the fault of the request.', {
    '{{backend}}': sumRate('ai_gateway_errors_total', 'backend', `${BACKEND},status=~"5.."`),
  }),
  areas('Clients that leave', 'ops', 'While they wait for a backend, for the first token, or for the rest.', {
    '{{stage}}': sumRate('ai_gateway_client_aborts_total', 'stage'),
  }),
  areas('Failovers', 'ops', 'Attempts that failed and were made up for elsewhere.', {
    '{{backend}}: {{reason}}': sumRate('ai_gateway_failovers_total', 'backend,reason', BACKEND),
  }),
  lines('Further attempts', 'ops', 'Made, and refused because their budget was spent.', {
    '{{result}}': sumRate('ai_gateway_retries_total', 'result'),
  }),
  lines('Rescues', 'ops', 'Streams that broke off and were gone on with by another backend.', {
    rescues: sumRate('ai_gateway_rescues_total', ''),
  }),
];

const keys = [
  areas('Tokens by key', PER_SECOND, 'Prompts and answers.', {
    '{{key}}': sumRate('ai_gateway_key_tokens_total', 'key', `${INSTANCE},type=~"input|output"`),
  }),
  lines('Budgets', 'percentunit', 'What a key with a budget for a day has used in the last 24 hours.', {
    '{{key}}': `sum by (key) (increase(ai_gateway_key_tokens_total{${INSTANCE},type=~"input|output"}[1d])) / on (key) max by (key) (ai_gateway_key_budget_tokens{${INSTANCE},period="day"})`,
  }),
  areas('Refused by limits', 'reqps', 'By the limit that refused.', {
    '{{limit}}': sumRate('ai_gateway_rate_limited_total', 'limit'),
  }),
  states(
    'Shared limits',
    'Whether Redis is there; nothing is shown without it.',
    { '{{instance}}': `min by (instance) (ai_gateway_limits_store_up{${INSTANCE}})` },
    { 0: ['gone', 'red'], 1: ['there', 'green'] },
  ),
];

const program = [
  label('Version', 'Of the gateway and of Node.', {
    '{{version}} on {{node}}': `count by (version, node) (ai_gateway_build_info{${INSTANCE}})`,
  }),
  number(
    'Configuration',
    'none',
    'Instances that run by an older configuration, because they refused the last one.',
    { 'refused it': `count (ai_gateway_config_current{${INSTANCE}} == 0) or vector(0)` },
    [
      ['green', null],
      ['red', 1],
    ],
  ),
  lines('CPU', 'percentunit', '1 is one CPU; with workers all of them together.', {
    '{{instance}}': `sum by (instance) (${rate('process_cpu_seconds_total')})`,
  }),
  lines('Memory', 'bytes', 'Of the process, and the part that JavaScript uses.', {
    '{{instance}}': `sum by (instance) (process_resident_memory_bytes{${INSTANCE}})`,
    '{{instance}} heap': `sum by (instance) (nodejs_heap_size_used_bytes{${INSTANCE}})`,
  }),
  lines('Event loop lag (p99)', 's', 'How late the process comes to its work.', {
    '{{instance}}': `max by (instance) (nodejs_eventloop_lag_p99_seconds{${INSTANCE}})`,
  }),
  lines('Open files', 'short', 'Connections among them.', {
    '{{instance}}': `sum by (instance) (process_open_fds{${INSTANCE}})`,
  }),
  lines('Garbage collection', 'percentunit', 'Share of the time.', {
    '{{instance}}': `sum by (instance) (${rate('nodejs_gc_duration_seconds_sum')})`,
  }),
];

export const dashboard = {
  title: 'node-ai-gateway',
  uid: 'node-ai-gateway',
  description: 'Traffic, latency, tokens, backends, failures and keys of node-ai-gateway.',
  tags: ['ai', 'llm', 'gateway'],
  choices: {
    instance: ['Instance', 'label_values(ai_gateway_build_info, instance)'],
    backend: ['Backend', 'label_values(ai_gateway_backend_up, backend)'],
    model: ['Model', 'label_values(ai_model_inference_duration_seconds_count, model)'],
  },
  rows: {
    Overview: overview,
    Traffic: traffic,
    Latency: latency,
    Tokens: tokens,
    Backends: backends,
    'Errors and aborts': failures,
    'Keys and limits': keys,
    Process: program,
  },
};
