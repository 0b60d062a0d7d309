/** Those who wait for one backend: a bounded line for each model, in which clients take turns. */

export interface Place {
  /** As the backend calls it. */
  readonly model: string;
  readonly client: string;
  /** Higher goes first. */
  readonly priority: number;
}

export interface Line<T> {
  readonly length: number;
  /** How many wait for this model. */
  lengthOf(model: string): number;
  add(place: Place, item: T): void;
  remove(item: T): void;
  /**
   * Takes out who is next: of the highest priority, whose model has waited longest for its turn,
   * then whose client has, then who came first. undefined when nobody waits.
   */
  next(): T | undefined;
  /** Takes all out. */
  clear(): T[];
}

/** Clients can invent names of models; turns of more than these are forgotten. */
const MAX_TURNS = 1000;

/** A client with a hundred requests in line must not keep one with a single request waiting. */
export function createLine<T>(): Line<T> {
  /** In order of arrival. */
  const places = new Map<T, Place>();
  /** When a model or client of those who wait was served last, by a count of servings. */
  const served = new Map<string, number>();
  let servings = 0;

  const turnOf = (key: string): number => served.get(key) ?? 0;

  function isBefore(a: Place, b: Place): boolean {
    if (a.priority !== b.priority) return a.priority > b.priority;
    const models = turnOf(modelKey(a)) - turnOf(modelKey(b));
    if (models !== 0) return models < 0;
    return turnOf(clientKey(a)) < turnOf(clientKey(b));
  }

  function remove(item: T): void {
    places.delete(item);
    // With nobody left there are no turns to remember.
    if (places.size === 0) served.clear();
  }

  return {
    get length() {
      return places.size;
    },
    lengthOf(model) {
      let length = 0;
      for (const place of places.values()) if (place.model === model) length++;
      return length;
    },
    add(place, item) {
      places.set(item, place);
    },
    remove,
    next() {
      let first: [T, Place] | undefined;
      for (const entry of places) if (!first || isBefore(entry[1], first[1])) first = entry;
      if (!first) return undefined;
      const [item, place] = first;
      servings++;
      if (served.size > MAX_TURNS) served.clear();
      served.set(modelKey(place), servings).set(clientKey(place), servings);
      remove(item);
      return item;
    },
    clear() {
      const items = [...places.keys()];
      places.clear();
      served.clear();
      return items;
    },
  };
}

const modelKey = ({ model }: Place): string => `model ${model}`;
const clientKey = ({ model, client }: Place): string => `client ${model} ${client}`;
