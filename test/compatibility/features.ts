/** What works with which kind of backend, with the test that proves it. The table of the README. */

import { KINDS, type KindName } from '../../src/core/fleet.ts';

/** One cell or several of a row. */
interface Proof {
  readonly kinds: readonly KindName[];
  /** What the table says. */
  readonly word: 'yes' | 'by the gateway' | 'emulated' | 'as it is' | 'no';
  readonly file: string;
  /** Of a test, as it stands in the file. */
  readonly title: string;
}

interface Feature {
  readonly name: string;
  readonly proofs: readonly Proof[];
}

const CHOICES = 'test/e2e/choices.test.ts';
const CLIENTS = 'test/e2e/clients';
const EVERYTHING = {
  kinds: ['vllm'],
  word: 'as it is',
  file: 'test/contract/ignored.test.ts',
  title: 'a backend of the same format gets everything, and nothing is named',
} as const satisfies Proof;

const proof = (kinds: readonly KindName[], word: Proof['word'], file: string, title: string): Proof => ({
  kinds,
  word,
  file,
  title,
});

export const FEATURES: readonly Feature[] = [
  {
    name: 'Chat in one piece: text, thinking, tools, usage',
    proofs: [proof(KINDS, 'yes', 'test/e2e/kinds.test.ts', 'answers in one piece')],
  },
  {
    name: 'The same streamed',
    proofs: [proof(KINDS, 'yes', 'test/e2e/kinds.test.ts', 'streams')],
  },
  {
    name: 'JSON by a schema',
    proofs: [
      proof(
        ['ollama', 'vllm'],
        'yes',
        `${CLIENTS}/openai.test.ts`,
        'holds the model to a zod schema and parses what it says, streamed and not',
      ),
    ],
  },
  {
    name: 'A forced `tool_choice`',
    proofs: [
      proof(
        ['ollama'],
        'emulated',
        'test/backends/ollama/tool-choice.test.ts',
        'is the call it chose, however it is cut',
      ),
      EVERYTHING,
    ],
  },
  {
    name: '`n`',
    proofs: [
      proof(
        ['ollama'],
        'by the gateway',
        CHOICES,
        'streamed are told under one id by index, with the prompt counted once',
      ),
      proof(['vllm'], 'as it is', CHOICES, 'are one call to a backend that gives several'),
    ],
  },
  {
    name: '`logprobs`',
    proofs: [proof(['ollama'], 'yes', 'test/golden/vectors.json', 'logprobs + top_logprobs'), EVERYTHING],
  },
  {
    name: '`logit_bias`, audio output',
    proofs: [
      proof(['ollama'], 'no', 'test/golden/requests.test.ts', '%j with status %d, naming %s'),
      EVERYTHING,
    ],
  },
  {
    name: 'Images in data URIs',
    proofs: [
      proof(
        ['ollama'],
        'yes',
        'test/golden/requests.test.ts',
        'makes one message of many parts, and strips images to what the server reads',
      ),
    ],
  },
  {
    name: 'Images by URL',
    proofs: [
      proof(
        ['ollama'],
        'by the gateway',
        'test/e2e/images.test.ts',
        'is fetched once for Ollama, however often it is shown',
      ),
      proof(['vllm'], 'as it is', 'test/e2e/images.test.ts', 'goes to a backend of the same format as it is'),
    ],
  },
  {
    name: 'Text completions',
    proofs: [proof(['ollama', 'vllm'], 'yes', `${CLIENTS}/completions.test.ts`, 'continues a text')],
  },
  {
    name: 'Several prompts',
    proofs: [
      proof(
        ['ollama'],
        'by the gateway',
        `${CLIENTS}/completions.test.ts`,
        'continues several texts several times, in order, each prompt counted once',
      ),
      proof(
        ['vllm'],
        'as it is',
        `${CLIENTS}/completions.test.ts`,
        'vLLM gets everything as it is, in one call',
      ),
    ],
  },
  {
    name: 'Embeddings',
    proofs: [
      proof(
        ['ollama', 'vllm', 'lmstudio'],
        'yes',
        'test/surfaces/openai-embeddings/answers.test.ts',
        'is told as OpenAI tells it, under the name that the client used',
      ),
    ],
  },
  {
    name: 'Tokens as input',
    proofs: [
      proof(
        ['ollama', 'vllm'],
        'yes',
        `${CLIENTS}/embeddings.test.ts`,
        'openai may send tokens, which are decoded for who cannot read them',
      ),
    ],
  },
  {
    name: 'Other endpoints, by the model of a JSON body',
    proofs: [
      proof(['ollama'], 'no', 'test/http/passthrough.test.ts', 'is never sent to Ollama'),
      proof(
        ['llamacpp', 'lmstudio'],
        'yes',
        'test/http/passthrough.test.ts',
        'may go to a backend of kind %s',
      ),
      proof(
        ['vllm'],
        'yes',
        'test/http/passthrough.test.ts',
        'goes to the backend that has it, under its name there and otherwise to the letter',
      ),
      proof(
        ['openai'],
        'yes',
        `${CLIENTS}/passthrough.test.ts`,
        'has a text judged by a model with another name',
      ),
    ],
  },
  {
    name: 'Other endpoints, without a model',
    proofs: [
      proof(['ollama'], 'no', 'test/http/passthrough.test.ts', 'is told when no backend can take it'),
      proof(['openai', 'vllm'], 'yes', 'test/http/passthrough.test.ts', 'goes to the backend %s'),
    ],
  },
  {
    name: 'Failover before the first token',
    proofs: [
      proof(
        ['ollama', 'vllm'],
        'yes',
        'test/e2e/failure.test.ts',
        'when it %s costs no request while another backend is well',
      ),
    ],
  },
];

/** As Markdown, with all lines ended. */
export function renderTable(features: readonly Feature[]): string {
  const rows = features.map(({ name, proofs }) => [
    name,
    ...KINDS.map((kind) => proofs.find(({ kinds }) => kinds.includes(kind))?.word ?? ''),
  ]);
  const lines = [['', ...KINDS.map((kind) => `\`${kind}\``)], ['', ...KINDS].map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}
