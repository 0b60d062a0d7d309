/** Pieces of streamed tool calls → pieces that every client can merge by index. */

import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import type { AnswerShape } from '../../core/kind.ts';
import type { Owned } from '../../core/stream.ts';
import { argumentsText } from './normalise.ts';

export interface ToolCallPieces {
  /** The pieces of one delta, renumbered; [] when nothing of them is to be sent. */
  normalise(pieces: readonly unknown[]): JsonObject[];
  /** What is missing when the answer ends. Throws tool_call_parse_error for a call without a name. */
  finish(): JsonObject[];
  /** Calls that were told. */
  readonly count: number;
}

/** What one piece says; '' for what it does not say. */
interface Said {
  readonly position: number | undefined;
  readonly id: string;
  readonly name: string;
  readonly isCustom: boolean;
  readonly text: string;
}

interface Call {
  /** As the server calls it. */
  id: string;
  /** Of the call that will take its place; some servers say it before they say the name. */
  nextId: string;
  /** Nothing is told of a call before its name is known. */
  name: string;
  /** As the client numbers it, from when it is told. */
  index: number;
  isCustom: boolean;
  /** Arguments that came before the name. */
  held: string;
  hasText: boolean;
  /** The arguments may be complete. */
  isClosed: boolean;
}

const MAX_HELD_LENGTH = 64 * 1024;

/**
 * Servers disagree on `index` (all 0, or missing), repeat or omit ids and names, or give every piece
 * an id of its own. So a call is begun by a name: one that comes where a named call is begins
 * another, unless it repeats that name. Calls are numbered in the order in which they are told.
 */
export function createToolCallPieces(shape: AnswerShape): ToolCallPieces {
  const atPosition = new Map<number, Call>();
  const byId = new Map<string, Call>();
  const calls: Call[] = [];
  let latest: Call | undefined;

  function callOf(said: Said): Call {
    const { position, id } = said;
    const known = position === undefined ? (byId.get(id) ?? latest) : atPosition.get(position);
    if (known && !isAnother(known, said)) {
      if (known.id === '') known.id = id;
      else if (id !== '') known.nextId = id;
      return known;
    }
    const call: Call = {
      id: id === '' ? (known?.nextId ?? '') : id,
      nextId: '',
      name: '',
      index: -1,
      isCustom: said.isCustom,
      held: '',
      hasText: false,
      isClosed: false,
    };
    calls.push(call);
    if (position !== undefined) atPosition.set(position, call);
    return call;
  }

  function toPiece(given: unknown): JsonObject | undefined {
    if (!isJsonObject(given)) return undefined;
    const said = read(given);
    const call = callOf(said);
    latest = call;
    if (said.text !== '') {
      call.hasText = true;
      call.isClosed = said.text.trimEnd().endsWith('}');
    }
    if (call.index >= 0) return said.text === '' ? undefined : more(call, said.text);
    call.held += said.text;
    call.isCustom ||= said.isCustom;
    call.name = said.name;
    if (call.name !== '') return begin(call);
    if (call.held.length > MAX_HELD_LENGTH) throw namelessCall();
    return undefined;
  }

  function begin(call: Call): JsonObject {
    const { name, held, isCustom } = call;
    call.index = pieces.count++;
    call.held = '';
    const isFree = call.id !== '' && !byId.has(call.id);
    if (isFree) byId.set(call.id, call);
    return {
      index: call.index,
      id: isFree ? call.id : `call_${shape.newId()}`,
      type: isCustom ? 'custom' : 'function',
      ...(isCustom ? { custom: { name, input: held } } : { function: { name, arguments: held } }),
    };
  }

  function wanted(found: readonly (JsonObject | undefined)[]): JsonObject[] {
    return found
      .filter((piece) => piece !== undefined)
      .filter(({ index }) => !shape.firstCallOnly || index === 0);
  }

  const pieces: Owned<ToolCallPieces> = {
    count: 0,
    normalise: (given) => wanted(given.map(toPiece)),
    finish() {
      if (calls.some(({ held }) => held !== '')) throw namelessCall();
      const silent = calls.filter(({ index, isCustom, hasText }) => index >= 0 && !isCustom && !hasText);
      return wanted(silent.map((call) => more(call, '{}')));
    },
  };
  return pieces;
}

function read(piece: JsonObject): Said {
  const { index, id, custom, function: called } = piece;
  const isCustom = isJsonObject(custom);
  const content = isCustom ? custom : isJsonObject(called) ? called : {};
  return {
    position: typeof index === 'number' ? index : undefined,
    id: typeof id === 'string' ? id : '',
    name: typeof content.name === 'string' ? content.name : '',
    isCustom,
    text: argumentsText(isCustom ? content.input : content.arguments),
  };
}

/** The piece begins a call beside the one that is known where it stands. */
function isAnother(known: Call, { id, name, text }: Said): boolean {
  if (name === '' || known.name === '') return false;
  if (name !== known.name) return true;
  if (id !== '' && known.id !== '') return id !== known.id;
  // The same name again: of a server that says it with every piece, or of the next call.
  return known.hasText ? known.isClosed : text === '';
}

function more({ index, isCustom }: Call, text: string): JsonObject {
  return { index, ...(isCustom ? { custom: { input: text } } : { function: { arguments: text } }) };
}

/** A call that no client could carry out. */
export function namelessCall(): GatewayError {
  return new GatewayError('tool_call_parse_error', {
    message: 'The upstream server sent a tool call without the name of its tool.',
  });
}
