"""STDP by rows, one number at a time in plain Python: the twin of kernels/processor/stdp."""

NEVER = -(2**62)


def saturate(x):
    return min(max(x, -(2**31)), 2**31 - 1)


class Rule:
    """One projection's rule, rows as lists of (post, place of the weight)."""

    def __init__(self, record, table, weight):
        self.r = {name: int(record[name]) for name in record.dtype.names}
        self.table = [int(x) for x in table]
        self.weight = weight
        self.pairs = self.clipped = 0
        self.rest()

    def rest(self):
        self.rows, self.posts, self.eligible = {}, {}, {}
        self.dopamine = {}

    def fade(self, name, ticks):
        first, length = self.r[name], self.r[f"{name}_length"]
        return self.table[first + ticks] if ticks < length else 0

    def release(self, rewards, tick):
        before = self.dopamine.get(tick - 1, 0)
        self.dopamine[tick] = saturate((before * self.r["dopamine"] >> 15) + 32768 * rewards)

    def fired(self, j, tick):
        spikes = self.posts.setdefault(j, [])
        trace = 0
        if spikes:
            when, last = spikes[-1]
            trace = last * self.fade("minus", tick - when) >> 15
        spikes.append((tick, saturate(trace + 32768)))

    def effect(self, t, now):
        """What an eligibility made at ``t`` has done by now."""
        total = 0
        for s in range(now, t - 1, -1):
            total = saturate(self.dopamine.get(s, 0) + (total * self.r["eligibility"] >> 15))
        return total

    def faded(self, value, ticks):
        return value * self.fade("slow", ticks) >> 15

    def row(self, i, synapses, tick):
        since, before = self.rows.get(i, (NEVER, 0))
        for j, k in synapses:
            change = 0
            if self.r["rewarded"] and since != NEVER:
                old = self.eligible.get(k, 0)
                change += (old * self.r["eligibility"] >> 15) * self.effect(since + 1, tick)
                self.eligible[k] = self.faded(old, tick - since)
            change += self.potentiate(j, k, since, before, tick)
            change -= self.depress(j, k, tick)
            wanted = self.weight[k] + (change + 2**29 >> 30)
            self.weight[k] = min(max(wanted, self.r["low"]), self.r["high"])
            self.clipped += self.weight[k] != wanted
        kept = before * self.fade("plus", tick - since) >> 15 if since != NEVER else 0
        self.rows[i] = (tick, saturate(kept + 32768))

    def potentiate(self, j, k, since, before, tick):
        change = 0
        for when, _ in self.posts.get(j, [])[-16:]:
            if when <= since or before == 0:
                continue
            self.pairs += 1
            gain = self.r["potentiation"] * (before * self.fade("plus", when - since) >> 15)
            if self.r["rewarded"]:
                change += (gain >> 15) * self.effect(when, tick)
                grown = self.faded(gain >> 15, tick - when)
                self.eligible[k] = saturate(self.eligible.get(k, 0) + grown)
            else:
                change += gain
        return change

    def depress(self, j, k, tick):
        spikes = [spike for spike in self.posts.get(j, []) if spike[0] < tick]
        if not spikes:
            return 0
        when, trace = spikes[-1]
        lost = self.r["depression"] * (trace * self.fade("minus", tick - when) >> 15)
        self.pairs += lost != 0
        if not self.r["rewarded"]:
            return lost
        self.eligible[k] = saturate(self.eligible.get(k, 0) - (lost >> 15))
        return (lost >> 15) * self.dopamine.get(tick, 0)
