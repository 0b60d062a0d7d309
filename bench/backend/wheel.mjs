// One timer for all streams: a wheel of slots of a millisecond each.

const SLOTS = 4096;

/**
 * @template {{ dueMs: number }} Item
 * @param {(item: Item) => void} fire called once for every scheduled item, when it is due
 */
export function createWheel(fire) {
  /** @type {Item[][]} */
  const slots = Array.from({ length: SLOTS }, () => []);
  let positionMs = 0;
  let count = 0;
  let timer;

  function turn() {
    const nowMs = performance.now();
    while (positionMs < nowMs && count > 0) {
      positionMs++;
      const slot = positionMs % SLOTS;
      const items = slots[slot];
      if (items.length === 0) continue;
      slots[slot] = [];
      for (const item of items) {
        if (item.dueMs > positionMs) {
          slots[slot].push(item); // due in a later turn of the wheel
        } else {
          count--;
          fire(item);
        }
      }
    }
    if (count === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  }

  return {
    /** @param {Item} item fired at its `dueMs` (of performance.now()), at the earliest with the next tick */
    schedule(item) {
      if (!timer) {
        positionMs = Math.floor(performance.now());
        timer = setInterval(turn, 1);
      }
      const slotMs = Math.max(positionMs + 1, Math.ceil(item.dueMs));
      slots[slotMs % SLOTS].push(item);
      count++;
    },
  };
}
