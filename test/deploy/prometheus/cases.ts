/** What the alerts are tried with: samples that are made up, one a minute, and whether an alert comes of them. */

type Series = Readonly<Record<string, string>>;

export interface Case {
  /** What holds, in words. */
  readonly when: string;
  readonly series: Series;
  readonly atMinute: number;
  /** Labels of the alert besides its name, state and severity; undefined: it keeps quiet. */
  readonly fires?: string;
}

const TARGET = 'job="gw",instance="gw:3000"';
const INFO: Series = { [`ai_gateway_build_info{${TARGET},version="0.1.0",node="v24"}`]: '1x60' };

/** A minute has 60 requests to models, unless `all` says otherwise; so many of them fail. */
function traffic(failed: number, status = '502', all = 60): Series {
  return {
    [`http_requests_total{${TARGET},route="/v1/chat/completions",status="200"}`]: `0+${String(all)}x60`,
    [`ai_gateway_errors_total{${TARGET},reason="upstream_error",status="${status}",backend="a"}`]: `0+${String(failed)}x60`,
  };
}

/** Histogram of 60 values a minute, so many of them above 10 s. */
function waits(name: string, labels: string, slow: number): Series {
  const bucket = (le: string, count: number): Series => ({
    [`${name}_bucket{${TARGET}${labels},le="${le}"}`]: `0+${String(count)}x60`,
  });
  return {
    ...bucket('1', 60 - slow),
    ...bucket('10', 60 - slow),
    ...bucket('30', 60),
    ...bucket('+Inf', 60),
  };
}

const up = (backend: string, values: string, instance = 'gw:3000'): Series => ({
  [`ai_gateway_backend_up{job="gw",instance="${instance}",backend="${backend}"}`]: values,
});
const circuit = (values: string): Series => ({
  [`ai_gateway_circuit_state{${TARGET},backend="a"}`]: values,
});
const slots = (inFlight: number, values = '10x60'): Series => ({
  [`ai_gateway_backend_in_flight{${TARGET},backend="a"}`]: `${String(inFlight)}x60`,
  [`ai_gateway_backend_slots{${TARGET},backend="a"}`]: values,
});
const budget = (tokensPerMinute: number, period: string, minutes = 120): Series => ({
  [`ai_gateway_key_tokens_total{${TARGET},key="chat",type="input"}`]: `0+${String(tokensPerMinute)}x${String(minutes)}`,
  [`ai_gateway_key_tokens_total{${TARGET},key="chat",type="cached"}`]: `0+9999x${String(minutes)}`,
  [`ai_gateway_key_budget_tokens{${TARGET},key="chat",period="${period}"}`]: `144000x${String(minutes)}`,
});

/** 144,000 tokens a day are 100 a minute. */
export const CASES: Readonly<Record<string, readonly Case[]>> = {
  AIGatewayAbsent: [
    { when: 'nothing is scraped', series: { up: '1x20' }, atMinute: 10, fires: '' },
    { when: 'nothing was scraped for a moment', series: { up: '1x20' }, atMinute: 4 },
    { when: 'a gateway is scraped', series: INFO, atMinute: 30 },
  ],
  AIGatewayDown: [
    {
      when: 'a target that was a gateway is gone',
      series: {
        [`ai_gateway_build_info{${TARGET},version="0.1.0",node="v24"}`]: '1x10',
        [`up{${TARGET}}`]: '1x10 0x50',
      },
      atMinute: 30,
      fires: TARGET,
    },
    {
      when: 'one of two never was there',
      series: { ...INFO, [`up{${TARGET}}`]: '1x60', 'up{job="gw",instance="gw-2:3000"}': '0x60' },
      atMinute: 30,
      fires: 'job="gw",instance="gw-2:3000"',
    },
    {
      when: 'it restarts',
      series: { ...INFO, [`up{${TARGET}}`]: '1x10 0 1x50' },
      atMinute: 11,
    },
    {
      when: 'something else is gone',
      series: { ...INFO, [`up{${TARGET}}`]: '1x60', 'up{job="node",instance="n:9100"}': '0x60' },
      atMinute: 30,
    },
  ],
  AIGatewayErrors: [
    {
      when: 'one in ten fails by the backends',
      series: traffic(6),
      atMinute: 20,
      fires: 'job="gw"',
    },
    {
      when: 'raw requests fail',
      series: {
        ...traffic(0),
        [`http_requests_total{${TARGET},route="/v1/*path",status="502"}`]: '0+10x60',
      },
      atMinute: 20,
      fires: 'job="gw"',
    },
    { when: 'one in a hundred fails', series: traffic(0.6), atMinute: 20 },
    {
      when: 'one in ten fails, and models are listed all the time',
      series: {
        ...traffic(6),
        [`http_requests_total{${TARGET},route="/v1/models",status="200"}`]: '0+6000x60',
      },
      atMinute: 20,
      fires: 'job="gw"',
    },
    { when: 'clients make mistakes', series: traffic(50, '404'), atMinute: 20 },
    { when: 'the one request in two minutes fails', series: traffic(0.5, '502', 0.5), atMinute: 20 },
    {
      when: 'nobody asks for anything',
      series: traffic(0, '502', 0),
      atMinute: 20,
    },
  ],
  AIGatewaySlowFirstToken: [
    {
      when: 'one in ten streams begins after more than 10 s',
      series: waits('ai_gateway_time_to_first_token_seconds', ',model="m",backend="a"', 6),
      atMinute: 30,
      fires: 'job="gw",model="m"',
    },
    {
      when: 'one in a hundred does',
      series: waits('ai_gateway_time_to_first_token_seconds', ',model="m",backend="a"', 0.6),
      atMinute: 30,
    },
  ],
  AIGatewayBackendDown: [
    {
      when: 'no instance reaches it',
      series: { ...up('a', '1x5 0x60'), ...up('a', '0x60', 'gw-2:3000'), ...up('b', '1x60') },
      atMinute: 20,
      fires: 'backend="a",job="gw"',
    },
    {
      when: 'one instance reaches it',
      series: { ...up('a', '0x60'), ...up('a', '1x60', 'gw-2:3000') },
      atMinute: 20,
    },
    { when: 'it comes back after a minute', series: up('a', '1x10 0x1 1x60'), atMinute: 12 },
  ],
  AIGatewayAllBackendsDown: [
    {
      when: 'all are down',
      series: { ...up('a', '0x60'), ...up('b', '0x60') },
      atMinute: 10,
      fires: 'job="gw"',
    },
    { when: 'one is up', series: { ...up('a', '0x60'), ...up('b', '1x60') }, atMinute: 10 },
  ],
  AIGatewayCircuitOpen: [
    {
      when: 'it opens again and again',
      series: circuit('0x5 2 1 2 1 2 1 2 1 2 1 2 1 2 1'),
      atMinute: 16,
      fires: 'backend="a",job="gw"',
    },
    { when: 'it was open once', series: circuit('0x5 2 0x60'), atMinute: 10 },
    { when: 'it is half-open for long', series: circuit('1x60'), atMinute: 20 },
  ],
  AIGatewayClientsLeave: [
    {
      when: 'every second client leaves',
      series: {
        ...traffic(0),
        [`ai_gateway_client_aborts_total{${TARGET},stage="answer"}`]: '0+30x60',
      },
      atMinute: 50,
      fires: 'job="gw"',
    },
    {
      when: 'the only client leaves',
      series: {
        ...traffic(0, '502', 0.2),
        [`ai_gateway_client_aborts_total{${TARGET},stage="answer"}`]: '0+0.2x60',
      },
      atMinute: 50,
    },
    {
      when: 'every tenth client leaves',
      series: {
        ...traffic(0),
        [`ai_gateway_client_aborts_total{${TARGET},stage="answer"}`]: '0+6x60',
      },
      atMinute: 50,
    },
  ],
  AIGatewayBackendFull: [
    { when: 'all slots are taken', series: slots(10), atMinute: 20, fires: 'backend="a",job="gw"' },
    { when: 'half of them are', series: slots(5), atMinute: 20 },
    { when: 'there is no limit', series: slots(500, '_x60'), atMinute: 20 },
  ],
  AIGatewayLongQueues: [
    {
      when: 'waiting takes more than 10 s',
      series: waits('ai_gateway_queue_wait_seconds', '', 30),
      atMinute: 20,
      fires: 'job="gw"',
    },
    { when: 'waiting takes a second', series: waits('ai_gateway_queue_wait_seconds', '', 0), atMinute: 20 },
  ],
  AIGatewayRateLimitStorm: [
    {
      when: 'half of the requests are refused',
      series: {
        ...traffic(0),
        [`ai_gateway_rate_limited_total{${TARGET},limit="requests"}`]: '0+20x60',
        [`ai_gateway_rate_limited_total{${TARGET},limit="tokens"}`]: '0+10x60',
      },
      atMinute: 30,
      fires: 'job="gw"',
    },
    {
      when: 'a single client asks once in five minutes, and is',
      series: {
        ...traffic(0, '502', 0.2),
        [`ai_gateway_rate_limited_total{${TARGET},limit="requests"}`]: '0+0.2x60',
      },
      atMinute: 30,
    },
    {
      when: 'one in twenty is',
      series: {
        ...traffic(0),
        [`ai_gateway_rate_limited_total{${TARGET},limit="requests"}`]: '0+3x60',
      },
      atMinute: 30,
    },
  ],
  AIGatewayBudgetBurn: [
    {
      when: "a day's budget goes five times too fast",
      series: budget(500, 'day'),
      atMinute: 110,
      fires: 'job="gw",key="chat",period="day"',
    },
    {
      when: "a month's budget is gone within a day",
      series: budget(1000, 'month'),
      atMinute: 110,
      fires: 'job="gw",key="chat",period="month"',
    },
    { when: 'it lasts half as long as it should', series: budget(200, 'day'), atMinute: 110 },
    {
      when: 'there is none',
      series: { [`ai_gateway_key_tokens_total{${TARGET},key="chat",type="input"}`]: '0+99999x120' },
      atMinute: 110,
    },
  ],
  AIGatewayLimitsStoreDown: [
    {
      when: 'one instance does not reach it',
      series: {
        [`ai_gateway_limits_store_up{${TARGET}}`]: '0x60',
        'ai_gateway_limits_store_up{job="gw",instance="gw-2:3000"}': '1x60',
      },
      atMinute: 10,
      fires: 'job="gw"',
    },
    { when: 'all do', series: { [`ai_gateway_limits_store_up{${TARGET}}`]: '1x60' }, atMinute: 10 },
  ],
  AIGatewayConfigRefused: [
    {
      when: 'an instance runs by an older one',
      series: { [`ai_gateway_config_current{${TARGET}}`]: '1x5 0x60' },
      atMinute: 15,
      fires: 'instance="gw:3000",job="gw"',
    },
    {
      when: 'it was mended',
      series: { [`ai_gateway_config_current{${TARGET}}`]: '1x5 0x5 1x60' },
      atMinute: 15,
    },
  ],
};
