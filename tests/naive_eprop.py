"""The equations of chipsim/train/eprop/rule.py, one number at a time, in plain Python.

``c`` are the constants; all arithmetic is on scalars of the type of ``c.one``, in the order of the
kernel's, so that results agree bit for bit.  Spikes are flags ``x[t][i]``.
"""


def matrix(c, rows, columns):
    return [[c.zero] * columns for _ in range(rows)]


def kept(c, value):
    return value if abs(value) > c.negligible else c.zero


def run_trial(c, weights, x):
    """Return psi, z (flags) and y of every step."""
    w_in, w_rec, w_out, _ = weights
    n, outputs = len(w_rec), len(w_out[0])
    v, a, waits, y = [c.zero] * n, [c.zero] * n, [c.zero] * n, [c.zero] * outputs
    z = [False] * n
    trail = []
    for x_t in x:
        current = [c.zero] * n
        for rows, spikes in ((w_in, x_t), (w_rec, z)):
            for i, spike in enumerate(spikes):
                if spike:
                    current = [total + w for total, w in zip(current, rows[i], strict=True)]
        psi = []
        for j in range(n):
            spiked = c.one if z[j] else c.zero
            v[j] = c.alpha * v[j] + c.zeta * current[j] - c.threshold * spiked
            a[j] = c.rho * a[j] + spiked
            above = v[j] - (c.threshold + c.beta[j] * a[j])
            waits[j] = max(waits[j] - c.one, c.zero)
            near = max(c.one - abs(above) * c.per_threshold, c.zero)
            psi.append(c.peak * near if waits[j] == 0 else c.zero)
            z[j] = bool(waits[j] == 0 and above >= 0)
            if z[j]:
                waits[j] = c.refractory
        for k in range(outputs):
            arriving = c.zero
            for j in range(n):
                if z[j]:
                    arriving = arriving + w_out[j][k]
            y[k] = c.kappa * y[k] + c.readout_gain * arriving
        trail.append((psi, list(z), list(y)))
    return [list(part) for part in zip(*trail, strict=True)]


def signals(c, feedback, error, start):
    total = list(start)
    for row, e in zip(feedback, error, strict=True):
        total = [s + b * e for s, b in zip(total, row, strict=True)]
    return total


def before(z, t):
    return z[t - 1] if t else [False] * len(z[0])


def adjoint_gradient(c, weights, x, psi, z, error, late, rate):
    """Return G of inputs, recurrent and readout weights by running time backwards."""
    n, n_in, outputs = len(z[0]), len(x[0]), len(error[0])
    g_in, g_rec, g_out = matrix(c, n_in, n), matrix(c, n, n), matrix(c, n, outputs)
    lb, lv = [c.zero] * n, [c.zero] * n
    filtered, fed_back = [c.zero] * outputs, [c.zero] * outputs
    for t in reversed(range(len(x))):
        for k in range(outputs):
            filtered[k] = kept(c, c.kappa * filtered[k] + c.readout_gain * error[t][k])
            fed_back[k] = kept(c, c.kappa * fed_back[k] + c.readout_gain * late[t][k])
        signal = signals(c, weights[3], fed_back, rate)
        for j in range(n):
            d = psi[t][j] * (signal[j] + lb[j])
            lb[j] = kept(c, c.rho * lb[j] - c.beta[j] * d)
            lv[j] = kept(c, c.alpha * lv[j] + d)
            for gradient, spikes in ((g_in, x[t]), (g_rec, before(z, t))):
                for i, spike in enumerate(spikes):
                    if spike:
                        gradient[i][j] = gradient[i][j] + c.zeta * lv[j]
        for j in range(n):
            if z[t][j]:
                g_out[j] = [g + f for g, f in zip(g_out[j], filtered, strict=True)]
    return g_in, g_rec, g_out


def online_gradient(c, weights, x, psi, z, error, late, rate):
    """Return the same with eligibility traces of every synapse, forwards in time."""
    n, outputs = len(z[0]), len(error[0])
    g_out, zbar = matrix(c, n, outputs), [c.zero] * n
    learning = [signals(c, weights[3], e, [c.zero] * n) for e in late]
    earlier = [before(z, t) for t in range(len(z))]
    g_in, g_rec = (synapses(c, s, psi, learning, rate) for s in (x, earlier))
    for t, e in enumerate(error):
        for j in range(n):
            zbar[j] = kept(c, c.kappa * zbar[j])
            if z[t][j]:
                zbar[j] = zbar[j] + c.readout_gain
            g_out[j] = [g + zbar[j] * e_k for g, e_k in zip(g_out[j], e, strict=True)]
    return g_in, g_rec, g_out


def synapses(c, spikes, psi, learning, rate):
    gradient = matrix(c, len(spikes[0]), len(rate))
    for i in range(len(gradient)):
        for j in range(len(rate)):
            xbar = epsilon = ebar = total = c.zero
            for t in range(len(spikes)):
                xbar = kept(c, c.alpha * xbar)
                if spikes[t][i]:
                    xbar = xbar + c.zeta
                e = psi[t][j] * (xbar - c.beta[j] * epsilon)
                epsilon = c.rho * epsilon + e
                ebar = kept(c, c.kappa * ebar + c.readout_gain * e)
                total = total + e
                gradient[i][j] = gradient[i][j] + learning[t][j] * ebar
            gradient[i][j] = gradient[i][j] + rate[j] * total
    return gradient
