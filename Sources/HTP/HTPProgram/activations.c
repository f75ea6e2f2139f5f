#include "activations.h"

#include "hvx_rows.h"

// What one row's memory begins with; the arrays follow.
typedef struct row_header {
    int32_t exponent;
    int32_t rounding;
    int32_t ternary_start;
} row_header;

static size_t blocks_of(uint32_t columns) { return ((size_t)columns + BLOCK - 1) / BLOCK; }
static size_t padded_blocks(uint32_t columns) { return (blocks_of(columns) + 3) / 4 * 4; }

size_t activation_row_bytes(uint32_t columns) {
    const size_t starts = padded_blocks(columns) / 8 + 1;
    return HVX_BYTES + padded_blocks(columns) * sizeof(activation_block)
        + (starts * sizeof(int32_t) + HVX_BYTES - 1) / HVX_BYTES * HVX_BYTES;
}

activation_row activation_row_at(void *memory, uint32_t columns) {
    const row_header *header = memory;
    activation_block *blocks = (activation_block *)(void *)((uint8_t *)memory + HVX_BYTES);
    return (activation_row){
        .blocks = blocks,
        .exponent = header->exponent,
        .rounding = header->rounding,
        .ternary_start = header->ternary_start,
        .ternary_starts = (int32_t *)(void *)(blocks + padded_blocks(columns)),
    };
}

// The largest of 32 words, in every word.
static inline HVX_Vector reduce_max(HVX_Vector v) {
    for (int step = 64; step >= 4; step /= 2) v = Q6_Vw_vmax_VwVw(v, Q6_V_vror_VR(v, step));
    return v;
}

// 2^54 / x for x in 2^23 … 2^24 − 1: in 2^30 … 2^31, to about one part in 2^29. By Newton's method, as the
// processor has no division.
static uint32_t reciprocal(uint32_t x) {
    uint64_t d = (uint64_t)x << 6; // x / 2^24 with 30 fraction bits
    // The classic first guess 48/17 − 32/17 · d is within 1/17.
    uint64_t y = 3031741621u - (2021161081u * d >> 30);
    for (int i = 0; i < 3; i++) y = y * ((2147483648u - (d * y >> 30))) >> 30;
    return (uint32_t)y;
}

typedef struct block {
    HVX_Vector codes; // a word each
    int32_t exponent; // of the largest magnitude, biased as in IEEE
    int16_t mantissa;
} block;

static inline block quantize_block(HVX_Vector bits) {
    const HVX_Vector magnitude = Q6_V_vand_VV(bits, Q6_V_vsplat_R(0x7fffffff));
    const HVX_Vector fraction_mask = Q6_V_vsplat_R(0x007fffff);
    HVX_Vector maxima = reduce_max(magnitude);
    int32_t largest;
    __builtin_memcpy(&largest, &maxima, sizeof largest);
    // Infinities and NaN are taken as the largest finite exponent: the result is meaningless, but defined.
    if (largest > 0x7f7fffff) largest = 0x7f7fffff;
    block b;
    b.exponent = largest >> 23;
    if (b.exponent < 32) {
        // Nothing above 2^-95: as good as zero, and zeros in other blocks are then 32 bits below the top.
        b.codes = Q6_V_vzero();
        b.mantissa = 0;
        return b;
    }
    const uint32_t top = ((uint32_t)largest & 0x7fffff) | 0x800000;

    // Fixed point with 24 bits at the largest exponent: fractions with their hidden bit, shifted right by
    // the distance of exponents. Zeros and subnormal numbers, which have no hidden bit, are shifted out.
    HVX_Vector exponents = Q6_Vuw_vlsr_VuwR(magnitude, 23);
    HVX_Vector distance = Q6_Vw_vsub_VwVw(Q6_V_vsplat_R(b.exponent), exponents);
    distance = Q6_Vw_vmin_VwVw(Q6_Vw_vmax_VwVw(distance, Q6_V_vzero()), Q6_V_vsplat_R(31));
    HVX_Vector fixed = Q6_V_vor_VV(Q6_V_vand_VV(bits, fraction_mask), Q6_V_vsplat_R(0x800000));
    fixed = Q6_Vw_vlsr_VwVw(fixed, distance);

    // code = fixed · 127 / top, as (fixed · r / 2^15) / 2^16 with r = 127 · 2^31 / top in 16256…32512.
    uint32_t r = (uint32_t)(((uint64_t)reciprocal(top) * 127 + (1 << 22)) >> 23);
    HVX_Vector scaled = Q6_Vw_vmpyo_VwVh_s1_rnd_sat(fixed, Q6_V_vsplat_R((int32_t)(r << 16)));
    HVX_Vector codes = Q6_Vw_vasr_VwR(Q6_Vw_vadd_VwVw(scaled, Q6_V_vsplat_R(0x8000)), 16);
    codes = Q6_Vw_vmin_VwVw(codes, Q6_V_vsplat_R(127));
    HVX_Vector sign = Q6_Vw_vasr_VwR(bits, 31);
    b.codes = Q6_Vw_vsub_VwVw(Q6_V_vxor_VV(codes, sign), sign);

    // The step top / 127 as a mantissa of 15 bits: 33818641 is 2^32 / 127.
    uint64_t step = (uint64_t)top * 33818641u;
    uint32_t mantissa = (uint32_t)((step + (1ull << 33)) >> 34);
    if (mantissa > 32767) {
        mantissa = (uint32_t)((step + (1ull << 34)) >> 35);
        b.exponent++;
    }
    b.mantissa = (int16_t)mantissa;
    return b;
}

// Two int16 in a word.
static int32_t halves(int32_t low, int32_t high) {
    return (int32_t)(((uint32_t)low & 0xffff) | (uint32_t)high << 16);
}
static int32_t twice(int32_t value) { return halves(value, value); }

// Brings a block's codes into the order of the tiles' words and sums its quarters.
static inline void order_codes(const uint32_t *words, activation_block *block) {
    int32_t sums[4] = {0, 0, 0, 0};
    const int8_t *codes = (const int8_t *)words;
    for (int i = 0; i < BLOCK; i++) sums[i / 8] += codes[i];
    const int32_t first = sums[0] + sums[1], second = sums[2] + sums[3];
    uint32_t *ordered = (uint32_t *)(void *)block->codes;
    for (int i = 0; i < 4; i++) {
        const uint32_t a = words[i], b = words[4 + i];
        ordered[2 * i] = (a & 0xffff) | b << 16;
        ordered[2 * i + 1] = a >> 16 | (b & 0xffff0000);
    }
    block->start8 = twice(-8 * (first + second));
    block->start32 = halves(-32 * sums[0], -32 * sums[2]);
    block->minus_first = twice(-first);
    block->minus_second = twice(-second);
    block->first_start16 = twice(-16 * first);
    block->second_start16 = twice(-16 * second);
}

void activation_row_quantize(activation_row *row, void *memory, const float *source, uint32_t columns) {
    *row = activation_row_at(memory, columns);
    const size_t count = blocks_of(columns), padded = padded_blocks(columns);
    int32_t largest = 0, not_zero = 0;
    for (size_t first = 0; first < padded; first += 4) {
        activation_block *blocks = row->blocks + first;
        HVX_Vector codes[4];
        for (size_t i = 0; i < 4; i++) {
            block b = {Q6_V_vzero(), 0, 0};
            const size_t at = (first + i) * BLOCK;
            if (first + i < count)
                b = quantize_block(hvx_load_part(source + at, (uint32_t)(columns - at) * sizeof(float), Q6_V_vzero()));
            codes[i] = b.codes;
            blocks[i].mantissa = twice(b.mantissa);
            blocks[i].shift = b.exponent; // until the row's is known
            not_zero += b.mantissa != 0;
            if (b.exponent > largest) largest = b.exponent;
        }
        HVX_Vector low = Q6_Vh_vpacke_VwVw(codes[1], codes[0]), high = Q6_Vh_vpacke_VwVw(codes[3], codes[2]);
        uint32_t words[HVX_BYTES / 4] __attribute__((aligned(HVX_BYTES)));
        hvx_store(words, Q6_Vb_vpacke_VhVh(high, low));
        for (size_t i = 0; i < 4; i++) order_codes(words + i * BLOCK / 4, &blocks[i]);
    }
    int32_t ternary_start = 0;
    for (size_t i = 0; i < padded; i++) {
        activation_block *const each = &row->blocks[i];
        int32_t shift = 10 + largest - each->shift;
        if (shift > 31) shift = 31;
        each->shift = shift;
        if (i % 8 == 0) row->ternary_starts[i / 8] = 0;
        if (each->mantissa == 0) continue;
        // The zero of ternary codes is 1. Two truncations, of this and of the products, take a unit on average.
        const int32_t start = ((int16_t)each->start8 / 8 * (int16_t)each->mantissa >> shift) + 1;
        row->ternary_starts[i / 8] += start;
        ternary_start += start;
    }
    row_header *header = memory;
    // A mantissa counts in units of 2^(biased exponent − 150 + 2): 23 fraction bits, bias 127, two bits
    // dropped.
    header->exponent = largest - 148;
    header->rounding = not_zero / 2;
    header->ternary_start = ternary_start;
    row->exponent = header->exponent;
    row->rounding = header->rounding;
    row->ternary_start = header->ternary_start;
}

// 2^exponent, or 0 where that is no normal number.
static float power_of_two(int32_t exponent) {
    const uint32_t bits = exponent < -126 || exponent > 127 ? 0 : (uint32_t)(exponent + 127) << 23;
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

void activation_row_remainder(const activation_row *row, const float *source, uint32_t columns, float *remainder) {
    for (uint32_t first = 0; first < columns; first += BLOCK) {
        const activation_block *block = &row->blocks[first / BLOCK];
        const int32_t mantissa = (int16_t)block->mantissa;
        // A block shifted this far adds nothing to a product: all of it is left.
        const float unit = block->shift >= 31 ? 0.0f : power_of_two(row->exponent + 10 - block->shift);
        for (uint32_t j = 0; j < BLOCK && first + j < columns; j++) {
            // The codes' order: 0, 1, 16, 17, 2, 3, 18, 19 and so on. Code times mantissa is a float without rounding.
            const uint32_t place = j % 16 / 2 * 4 + j / 16 * 2 + j % 2;
            remainder[first + j] = source[first + j] - (float)(block->codes[place] * mantissa) * unit;
        }
    }
}
