/** What a model cannot do, said before the call: with names of parameters, which the server does not know. */

import type { ChatBody, ChatMessage, ContentPart } from '../../core/chat.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Target } from '../../core/fleet.ts';
import type { ToolPlan } from './tool-choice.ts';

/** Throws GatewayError (400). A model whose capabilities are not known is asked. */
export function checkCapabilities(body: ChatBody, { offered }: ToolPlan, { model }: Target): void {
  const capabilities = model?.capabilities;
  if (!capabilities) return;
  const refuse = (what: string, param: string): GatewayError =>
    new GatewayError('unsupported_parameter', {
      message: `The model \`${body.model}\` does not support ${what}. Choose another model, or leave it out.`,
      param,
    });
  if (!capabilities.includes('completion')) throw refuse('chat', 'model');
  if (offered.length > 0 && !capabilities.includes('tools')) throw refuse('tools', 'tools');
  if (!capabilities.includes('vision')) {
    const image = findPart(body.messages, 'image_url');
    if (image !== undefined) throw refuse('images', image);
  }
  if (!capabilities.includes('audio')) {
    const audio = findPart(body.messages, 'input_audio');
    if (audio !== undefined) throw refuse('audio', audio);
  }
}

function findPart(messages: readonly ChatMessage[], type: ContentPart['type']): string | undefined {
  for (const [m, { content }] of messages.entries()) {
    if (typeof content === 'string' || !content) continue;
    const p = content.findIndex((part) => part.type === type);
    if (p >= 0) return `messages[${String(m)}].content[${String(p)}]`;
  }
  return undefined;
}
