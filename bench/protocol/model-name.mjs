// What the simulated backend shall do is written in the name of the model, which every server in between
// passes on untouched: `sim-n200-r20-b1`.

/**
 * @typedef {object} Simulation
 * @property {number} tokens n: tokens of an answer
 * @property {number} perSecond r: tokens a second of one stream; 0: as fast as they are taken
 * @property {number} perWrite b: tokens that leave in one write
 */

const NAME = /^sim-n(\d{1,7})-r(\d{1,5})-b(\d{1,3})$/;

/** @param {Partial<Simulation>} simulation */
export function toModelName({ tokens = 1, perSecond = 0, perWrite = 1 }) {
  return `sim-n${tokens}-r${perSecond}-b${perWrite}`;
}

/**
 * undefined when it is the name of something else.
 * @param {string} name
 * @returns {Simulation | undefined}
 */
export function parseModelName(name) {
  const digits = NAME.exec(name)?.slice(1).map(Number);
  if (!digits) return undefined;
  const [tokens, perSecond, perWrite] = digits;
  return { tokens: Math.max(1, tokens), perSecond, perWrite: Math.max(1, perWrite) };
}
