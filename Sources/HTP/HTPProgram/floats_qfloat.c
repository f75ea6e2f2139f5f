// The variant of the vector unit's floats: rows of 32 floats at a time.
#include "floats_qfloat.h"

#if HTP_HAS_QFLOAT

#include "floats.h"
#include "vector_floats.h"

static void add(float *to, const float *a, const float *b, uint32_t count) {
    const HVX_Vector zero = Q6_V_vzero();
    for (uint32_t i = 0; i < count; i += VF_LANES)
        vf_store(to + i, count - i, vf_add(vf_load(a + i, count - i, zero), vf_load(b + i, count - i, zero)));
}

static void multiply(float *to, const float *a, const float *b, uint32_t count) {
    const HVX_Vector zero = Q6_V_vzero();
    for (uint32_t i = 0; i < count; i += VF_LANES)
        vf_store(to + i, count - i, vf_mul(vf_load(a + i, count - i, zero), vf_load(b + i, count - i, zero)));
}

static void scale(float *to, const float *x, uint32_t count, const htp_scale_parameters *s) {
    const HVX_Vector factor = vf_splat(s->scale), offset = vf_splat(s->offset), cap = vf_splat(s->cap);
    const HVX_Vector inverse = vf_splat(s->cap > 0 ? 1.0f / s->cap : 0.0f);
    for (uint32_t i = 0; i < count; i += VF_LANES) {
        HVX_Vector v = vf_mul_add(vf_load(x + i, count - i, Q6_V_vzero()), factor, offset);
        if (s->cap > 0) v = vf_mul(cap, vf_tanh(vf_mul(v, inverse)));
        vf_store(to + i, count - i, v);
    }
}

static HVX_Vector function(const htp_activate_parameters *a, HVX_Vector x) {
    switch (a->function) {
    case HTP_FUNCTION_SILU: return vf_mul(x, vf_sigmoid(x));
    case HTP_FUNCTION_GELU: {
        // As in the plain variant; 30 is as far as the cube needs to be right.
        const HVX_Vector near = vf_clamp(x, 30.0f);
        const HVX_Vector cube = vf_mul(vf_mul(near, near), vf_mul(near, vf_splat(0.044715f)));
        return vf_mul(x, vf_sigmoid(vf_mul(vf_add(near, cube), vf_splat(1.59576912f))));
    }
    case HTP_FUNCTION_GELU_QUICK: return vf_mul(x, vf_sigmoid(vf_mul(x, vf_splat(1.702f))));
    case HTP_FUNCTION_RELU: return vf_select(x, 0.0f, x, Q6_V_vzero());
    case HTP_FUNCTION_RELU_SQUARED: return vf_select(x, 0.0f, vf_mul(x, x), Q6_V_vzero());
    case HTP_FUNCTION_SIGMOID: return vf_sigmoid(x);
    case HTP_FUNCTION_TANH: return vf_tanh(x);
    case HTP_FUNCTION_SWIGLU_CLAMPED: {
        const HVX_Vector gate = vf_min(x, vf_splat(a->limit));
        return vf_mul(gate, vf_sigmoid(vf_mul(gate, vf_splat(a->alpha))));
    }
    default: return x;
    }
}

static void activate(float *to, const float *x, const float *up, uint32_t count,
                     const htp_activate_parameters *a) {
    for (uint32_t i = 0; i < count; i += VF_LANES) {
        HVX_Vector v = function(a, vf_load(x + i, count - i, Q6_V_vzero()));
        if (up) {
            HVX_Vector u = vf_load(up + i, count - i, Q6_V_vzero());
            if (a->function == HTP_FUNCTION_SWIGLU_CLAMPED) u = vf_add(vf_clamp(u, a->limit), vf_splat(1.0f));
            v = vf_mul(v, u);
        }
        vf_store(to + i, count - i, v);
    }
}

static void softmax(float *to, const float *x, uint32_t count, float scale) {
    const HVX_Vector lowest = vf_splat(-VF_LARGEST);
    HVX_Vector largest = lowest, sum = Q6_V_vzero();
    for (uint32_t i = 0; i < count; i += VF_LANES) {
        const HVX_Vector v = vf_clamp(vf_load(x + i, count - i, lowest), VF_LARGEST);
        const HVX_Vector scaled = vf_clamp(vf_mul(v, vf_splat(scale)), VF_LARGEST);
        vf_store(to + i, count - i, scaled);
        // The scale may be negative, so the places behind the row would count.
        largest = vf_max(largest, count - i < VF_LANES ? vf_load(to + i, count - i, lowest) : scaled);
    }
    largest = vf_max_of_lanes(largest);
    for (uint32_t i = 0; i < count; i += VF_LANES) {
        const HVX_Vector v = vf_load(to + i, count - i, lowest);
        // What is masked stays so, even where all is.
        const HVX_Vector e = vf_select(v, -VF_LARGEST, vf_exp(vf_sub(v, largest)), Q6_V_vzero());
        sum = Q6_Vqf32_vadd_Vqf32Vsf(sum, e);
        vf_store(to + i, count - i, e);
    }
    const float total = vf_sum_of_lanes(sum);
    const HVX_Vector inverse = vf_splat(total > 0.0f ? 1.0f / total : 0.0f);
    for (uint32_t i = 0; i < count; i += VF_LANES)
        vf_store(to + i, count - i, vf_mul(vf_load(to + i, count - i, Q6_V_vzero()), inverse));
}

static void normalize(float *to, const float *x, const float *weight, const float *bias,
                      const htp_norm_parameters *n, int center) {
    const HVX_Vector zero = Q6_V_vzero();
    const uint32_t width = n->width;
    HVX_Vector sum = zero;
    if (center) {
        for (uint32_t i = 0; i < width; i += VF_LANES)
            sum = Q6_Vqf32_vadd_Vqf32Vsf(sum, vf_load(x + i, width - i, zero));
        const HVX_Vector mean = vf_splat(vf_sum_of_lanes(sum) / (float)width);
        for (uint32_t i = 0; i < width; i += VF_LANES)
            vf_store(to + i, width - i, vf_sub(vf_load(x + i, width - i, zero), mean));
        x = to;
        sum = zero;
    }
    for (uint32_t i = 0; i < width; i += VF_LANES) {
        const HVX_Vector v = vf_load(x + i, width - i, zero);
        sum = vf_accumulate(sum, v, v);
    }
    const float square = vf_sum_of_lanes(sum) / (float)width;
    const HVX_Vector scale = vf_splat(1.0f / float_sqrt(square + n->epsilon));
    for (uint32_t i = 0; i < width; i += VF_LANES) {
        HVX_Vector v = vf_mul(vf_load(x + i, width - i, zero), scale);
        if (weight) v = vf_mul(v, vf_load(weight + i, width - i, zero));
        if (bias) v = vf_add(v, vf_load(bias + i, width - i, zero));
        vf_store(to + i, width - i, v);
    }
}

// `count` pairs, whose members are two halves or alternate. Floats lie in memory as two vectors at most.
static HVX_VectorPair load_pairs(const float *from, uint32_t count) {
    const HVX_Vector zero = Q6_V_vzero();
    const HVX_Vector first = vf_load(from, 2 * count, zero);
    const HVX_Vector second = 2 * count > VF_LANES ? vf_load(from + VF_LANES, 2 * count - VF_LANES, zero) : zero;
    return Q6_W_vdeal_VVR(second, first, -4);
}

static void store_pairs(float *to, uint32_t count, HVX_Vector a, HVX_Vector b) {
    const HVX_VectorPair w = Q6_W_vshuff_VVR(b, a, -4);
    vf_store(to, 2 * count, Q6_V_lo_W(w));
    if (2 * count > VF_LANES) vf_store(to + VF_LANES, 2 * count - VF_LANES, Q6_V_hi_W(w));
}

static void rotate(float *to, const float *x, uint32_t size, uint32_t pairs, const float *angles, int halves) {
    const HVX_Vector zero = Q6_V_vzero();
    for (uint32_t i = 0; i < pairs; i += VF_LANES) {
        const uint32_t count = pairs - i < VF_LANES ? pairs - i : VF_LANES;
        const HVX_VectorPair angle = load_pairs(angles + 2 * i, count);
        const HVX_Vector cosine = Q6_V_lo_W(angle), sine = Q6_V_hi_W(angle);
        HVX_Vector a, b;
        if (halves) {
            a = vf_load(x + i, count, zero);
            b = vf_load(x + pairs + i, count, zero);
        } else {
            const HVX_VectorPair w = load_pairs(x + 2 * i, count);
            a = Q6_V_lo_W(w);
            b = Q6_V_hi_W(w);
        }
        const HVX_Vector turned_a = vf_sub(vf_mul(a, cosine), vf_mul(b, sine));
        const HVX_Vector turned_b = vf_add(vf_mul(a, sine), vf_mul(b, cosine));
        if (halves) {
            vf_store(to + i, count, turned_a);
            vf_store(to + pairs + i, count, turned_b);
        } else {
            store_pairs(to + 2 * i, count, turned_a, turned_b);
        }
    }
    if (to != x)
        for (uint32_t i = 2 * pairs; i < size; i += VF_LANES)
            vf_store(to + i, size - i, vf_load(x + i, size - i, zero));
}

static void mix(float *to, const float *vectors, size_t distance, const float *weights, uint32_t count,
                const float *addend, uint32_t width) {
    const HVX_Vector zero = Q6_V_vzero();
    for (uint32_t i = 0; i < width; i += VF_LANES) {
        HVX_Vector sum = zero;
        for (uint32_t k = 0; k < count; k++)
            sum = vf_accumulate(sum, vf_load(vectors + k * distance + i, width - i, zero), vf_splat(weights[k]));
        if (addend) sum = Q6_Vqf32_vadd_Vqf32Vsf(sum, vf_load(addend + i, width - i, zero));
        vf_store(to + i, width - i, Q6_Vsf_equals_Vqf32(sum));
    }
}

static const float_kernels qfloat = {
    .add = add,
    .multiply = multiply,
    .scale = scale,
    .activate = activate,
    .softmax = softmax,
    .normalize = normalize,
    .rotate = rotate,
    .mix = mix,
    .encode = qfloat_encode,
    .attend = qfloat_attend,
    .attention_bytes = qfloat_attention_bytes,
};

const float_kernels *floats_qfloat(void) { return &qfloat; }

#else

const float_kernels *floats_qfloat(void) { return NULL; }

#endif
