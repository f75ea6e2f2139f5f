// The kernels of `cpu_activations.h`, in loops that the compiler turns into vectors. Included once for each level, with
// KERNEL as the functions' storage class and target, LEVEL(name) as their names.

// x/2 (1 + tanh u) = x sigmoid(2u) with u = sqrt(2/pi) (x + 0.044715 x^3)
KERNEL void LEVEL(gelu_mul)(float *dst, const float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float x = gate[i];
        dst[i] = x * sigmoid(1.5957691216057308f * (x + 0.044715f * x * x * x)) * up[i];
    }
}

KERNEL void LEVEL(relu_squared_mul)(float *dst, const float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float x = gate[i] > 0 ? gate[i] : 0;
        dst[i] = x * x * up[i];
    }
}

KERNEL void LEVEL(swiglu_clamped)(
    float *dst, const float *gate, const float *up, size_t n, float alpha, float limit) {
    for (size_t i = 0; i < n; i++) {
        const float x = gate[i] < limit ? gate[i] : limit;
        float u = up[i] < limit ? up[i] : limit;
        u = u > -limit ? u : -limit;
        dst[i] = x * sigmoid(alpha * x) * (u + 1.0f);
    }
}

KERNEL void LEVEL(scale)(float *x, size_t n, float factor, float cap) {
    if (cap > 0) {
        const float inner = factor / cap;
        for (size_t i = 0; i < n; i++) x[i] = cap * tanh_float(x[i] * inner);
    } else {
        for (size_t i = 0; i < n; i++) x[i] *= factor;
    }
}

KERNEL void LEVEL(rotate_halves)(float *head, size_t heads, size_t size, const float *turns, size_t pairs) {
    for (size_t h = 0; h < heads; h++, head += size) {
        float *restrict first = head, *restrict second = head + pairs;
        for (size_t i = 0; i < pairs; i++) {
            const float x = first[i], y = second[i], cosine = turns[2 * i], sine = turns[2 * i + 1];
            first[i] = x * cosine - y * sine;
            second[i] = x * sine + y * cosine;
        }
    }
}

KERNEL void LEVEL(rotate_neighbours)(float *head, size_t heads, size_t size, const float *turns, size_t pairs) {
    for (size_t h = 0; h < heads; h++, head += size) {
        for (size_t i = 0; i < 2 * pairs; i += 2) {
            const float x = head[i], y = head[i + 1], cosine = turns[i], sine = turns[i + 1];
            head[i] = x * cosine - y * sine;
            head[i + 1] = x * sine + y * cosine;
        }
    }
}

KERNEL void LEVEL(largest)(const float *x, size_t n, float *largest) {
    enum { LANES = 16 };
    for (; n >= CPU_LARGEST_BLOCK; x += CPU_LARGEST_BLOCK, n -= CPU_LARGEST_BLOCK) {
        float lanes[LANES];
        for (int i = 0; i < LANES; i++) lanes[i] = x[i] > -INFINITY ? x[i] : -INFINITY;
        for (int k = LANES; k < CPU_LARGEST_BLOCK; k += LANES)
            for (int i = 0; i < LANES; i++) lanes[i] = x[k + i] > lanes[i] ? x[k + i] : lanes[i];
        for (int step = LANES / 2; step > 0; step /= 2)
            for (int i = 0; i < step; i++) lanes[i] = lanes[i + step] > lanes[i] ? lanes[i + step] : lanes[i];
        *largest++ = lanes[0];
    }
    if (n == 0) return;
    float result = -INFINITY;
    for (size_t i = 0; i < n; i++) result = x[i] > result ? x[i] : result;
    *largest = result;
}

KERNEL double LEVEL(sum_of_exponentials)(const float *x, size_t n, float largest) {
    enum { LANES = 16, RUN = 4096 }; // float sums of runs, so that what is small is not lost
    double sum = 0;
    while (n > 0) {
        const size_t run = min_size(n, RUN);
        float lanes[LANES] = {0};
        size_t k = 0;
        for (; k + LANES <= run; k += LANES)
            for (int i = 0; i < LANES; i++) {
                const float e = exp_float(x[k + i] - largest);
                lanes[i] += e >= 0 ? e : 0;
            }
        for (; k < run; k++) {
            const float e = exp_float(x[k] - largest);
            lanes[0] += e >= 0 ? e : 0;
        }
        for (int i = 0; i < LANES; i++) sum += (double)lanes[i];
        x += run;
        n -= run;
    }
    return sum;
}

static const cpu_activation_kernels LEVEL(activation_kernels) = {
    .gelu_mul = LEVEL(gelu_mul),
    .relu_squared_mul = LEVEL(relu_squared_mul),
    .swiglu_clamped = LEVEL(swiglu_clamped),
    .scale = LEVEL(scale),
    .rotate_halves = LEVEL(rotate_halves),
    .rotate_neighbours = LEVEL(rotate_neighbours),
    .largest = LEVEL(largest),
    .sum_of_exponentials = LEVEL(sum_of_exponentials),
};
