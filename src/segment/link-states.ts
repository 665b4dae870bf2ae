/** The states of links in two chains: a hash table with open addressing in arrays of numbers. */
export class LinkStates {
  private readonly keys: Float64Array;
  private readonly checks: Float64Array;
  private readonly used: Uint8Array;
  private readonly sides: readonly [SideStates, SideStates];

  /** `links` is the largest number of links. */
  constructor(links: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(16, links * 1.5)));
    this.keys = new Float64Array(slots);
    this.checks = new Float64Array(slots);
    this.used = new Uint8Array(slots);
    this.sides = [sideStates(slots), sideStates(slots)];
  }

  /** Returns the slot of a link, by two hashes of it. */
  slotOf(key: number, check: number): number {
    const { keys, checks, used } = this;
    const mask = used.length - 1;
    // Not the bits that choose the part, which are the same for all links of a part.
    let slot = (check % 0x3fffffff) & mask;
    while (used[slot] === 1 && (keys[slot] !== key || checks[slot] !== check))
      slot = (slot + 1) & mask;
    used[slot] = 1;
    keys[slot] = key;
    checks[slot] = check;
    return slot;
  }

  /** Records the next version in the order of times. False if it does not follow the one before. */
  follow(side: 0 | 1, slot: number, version: number, live: boolean): boolean {
    const { last } = this.sides[side];
    if (Math.abs(last[slot] ?? 0) - 1 >= version) return false;
    last[slot] = live ? version + 1 : -(version + 1);
    return true;
  }

  /** Records the version that one side shows; time 0: it shows none. */
  set(side: 0 | 1, slot: number, version: number, time: number): void {
    const { versions, times } = this.sides[side];
    versions[slot] = version;
    times[slot] = time;
  }

  /** Links whose last version is live. */
  live(side: 0 | 1): number {
    return this.sides[side].last.reduce((sum, version) => sum + (version > 0 ? 1 : 0), 0);
  }

  /** Passes the time of each shown version that the other side does not show for its link. Returns the number of equal ones. */
  compare(differs: (side: 0 | 1, time: number) => void): number {
    const [from, to] = this.sides;
    let equal = 0;
    for (let slot = 0; slot < this.used.length; slot += 1) {
      const [left = 0, right = 0] = [from.times[slot], to.times[slot]];
      if (left !== 0 && left === right && from.versions[slot] === to.versions[slot]) {
        equal += 1;
        continue;
      }
      if (left !== 0) differs(0, left);
      if (right !== 0) differs(1, right);
    }
    return equal;
  }
}

/** By slot. */
interface SideStates {
  /** The last version + 1, negative if the link has no document at it. 0: no version. */
  last: Float64Array;
  /** The shown version and its time; time 0: none. */
  versions: Float64Array;
  times: Float64Array;
}

const sideStates = (slots: number): SideStates => ({
  last: new Float64Array(slots),
  versions: new Float64Array(slots),
  times: new Float64Array(slots),
});
