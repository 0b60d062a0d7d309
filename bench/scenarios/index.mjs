// The scenarios, in the order in which they run.

import { cold } from './cold.mjs';
import { memory } from './memory.mjs';
import { requests } from './requests.mjs';
import { firehose, stream, thousand, twoThousand } from './streaming.mjs';
import { ttft } from './ttft.mjs';

/**
 * @typedef {object} Scenario
 * @property {string} name
 * @property {string} title
 * @property {string[]} routes
 * @property {string[]} servers `direct` is no server: the backend itself is asked
 * @property {{ key: string, title: string }[]} columns
 * @property {string | undefined} main the figure whose ratio to the baselines is told
 * @property {boolean} [startsOwnServer] every measurement begins with a fresh process
 * @property {number} [descriptors] files a process must be allowed to have open
 * @property {(context: Context) => Promise<Measurement>} measure
 * @property {(figures: Figures, direct: Figures) => Figures} [relate] figures that need those of `direct`
 */

/** @typedef {Record<string, number | null>} Figures */
/** @typedef {{ figures: Figures, faults: string }} Measurement `faults`: '' when nothing was wrong */

/**
 * @typedef {object} Context
 * @property {import('../runner/servers.mjs').Setting} setting
 * @property {string} serverName
 * @property {import('../runner/servers.mjs').Server} server undefined when the scenario starts its own
 * @property {string} route
 */

/** @type {readonly Scenario[]} */
export const scenarios = [cold, requests, stream, thousand, firehose, ttft, twoThousand, memory];
