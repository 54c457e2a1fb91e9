// A rate per second, over the last seconds.

const SPAN_MS = 5000;
/** Without a new amount for this long, the rate is 0. */
const SILENT_MS = 3000;

export class Meter {
  constructor() {
    /** Oldest first. @type {{at: number, amount: number}[]} */
    this.entries = [];
  }

  /** Takes in `amount`, which came just now. @param {number} amount */
  add(amount) {
    const now = performance.now();
    this.entries.push({ at: now, amount });
    while (now - this.entries[0].at > SPAN_MS) this.entries.shift();
  }

  perSecond() {
    const [first, ...rest] = this.entries;
    const last = rest.at(-1);
    if (!last || performance.now() - last.at > SILENT_MS) return 0;
    return (rest.reduce((sum, { amount }) => sum + amount, 0) * 1000) / (last.at - first.at);
  }
}
