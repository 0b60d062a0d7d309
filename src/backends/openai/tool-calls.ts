/** Pieces of streamed tool calls → pieces that every client can merge by index. */

import { isJsonObject, type JsonObject } from '../../core/json.ts';
import type { AnswerShape } from '../../core/kind.ts';
import type { Owned } from '../../core/stream.ts';
import { argumentsText } from './normalise.ts';

export interface ToolCallPieces {
  /** The pieces of one delta, renumbered; [] when nothing of them is to be sent. */
  normalise(pieces: readonly unknown[]): JsonObject[];
  readonly count: number;
}

interface Call {
  readonly index: number;
  readonly id: string;
}

/** What is said of a call stands under the name of its type. */
function under(isCustom: boolean, content: JsonObject): JsonObject {
  return isCustom ? { custom: content } : { function: content };
}

/**
 * Servers disagree on `index` (all 0, or missing) and repeat or omit ids. A new call begins with an
 * id not yet seen at that index, or with an index not yet seen; it gets the next number.
 */
export function createToolCallPieces(shape: AnswerShape): ToolCallPieces {
  const atUpstreamIndex = new Map<unknown, Call>();
  let latest: Call | undefined;
  function toPiece(piece: unknown): JsonObject | undefined {
    if (!isJsonObject(piece)) return undefined;
    const isCustom = isJsonObject(piece.custom);
    const called = isJsonObject(piece.custom)
      ? piece.custom
      : isJsonObject(piece.function)
        ? piece.function
        : {};
    const id = typeof piece.id === 'string' ? piece.id : '';
    const known = typeof piece.index === 'number' ? atUpstreamIndex.get(piece.index) : latest;
    const content = isCustom
      ? { input: argumentsText(called.input) }
      : { arguments: argumentsText(called.arguments) };
    if (known && (id === '' || id === known.id)) return { index: known.index, ...under(isCustom, content) };
    const call: Call = { index: pieces.count++, id: id === '' ? `call_${shape.newId()}` : id };
    atUpstreamIndex.set(piece.index, call);
    latest = call;
    const name = typeof called.name === 'string' ? called.name : '';
    const type = isCustom ? 'custom' : 'function';
    return { index: call.index, id: call.id, type, ...under(isCustom, { name, ...content }) };
  }

  const pieces: Owned<ToolCallPieces> = {
    count: 0,
    normalise(given) {
      return given
        .map(toPiece)
        .filter((piece) => piece !== undefined)
        .filter((piece) => !shape.firstCallOnly || piece.index === 0);
    },
  };
  return pieces;
}
