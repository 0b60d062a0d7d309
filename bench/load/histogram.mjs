// Counts of values in buckets that are 1.6 % wide, so that a million samples take a few KB.

const SUB_BUCKET_BITS = 6;
const SUB_BUCKETS = 1 << SUB_BUCKET_BITS;
const OCTAVES = 32;

/** For whole numbers from 0 to 2^32 - 1; larger ones count as the largest. */
export function createHistogram() {
  const counts = new Uint32Array(SUB_BUCKETS * OCTAVES);
  let total = 0;

  return {
    /** @param {number} value */
    record(value) {
      counts[indexOf(Math.max(0, Math.min(value, 0xffff_ffff)) >>> 0)]++;
      total++;
    },
    /**
     * The value that a share of the samples does not exceed; null when there are none.
     * @param {number} share from 0 to 1
     */
    quantile(share) {
      if (total === 0) return null;
      let left = Math.max(1, Math.ceil(total * share));
      const index = counts.findIndex((count) => (left -= count) <= 0);
      return valueOf(index);
    },
    count: () => total,
  };
}

/** Values below 2 * SUB_BUCKETS have buckets of their own; above, each octave has SUB_BUCKETS of them. */
function indexOf(value) {
  const octave = Math.max(0, 31 - Math.clz32(value) - SUB_BUCKET_BITS);
  return octave * SUB_BUCKETS + (value >>> octave);
}

/** The middle of a bucket. */
function valueOf(index) {
  const octave = Math.max(0, Math.floor(index / SUB_BUCKETS) - 1);
  const low = (index - octave * SUB_BUCKETS) * 2 ** octave;
  return low + (2 ** octave - 1) / 2;
}
