// The kernels of `cpu_repack.h`, in vectors that the compiler makes of what the level has. Included once for each
// level, with KERNEL as the functions' storage class and target, LEVEL(name) as their names.

// Vectors are handed over in memory: as arguments they would follow a level's calling convention.
LOCAL void LEVEL(load_two)(u16x16 *both, const uint8_t *low, const uint8_t *high) {
    u16x8 a, b;
    memcpy(&a, low, sizeof a);
    memcpy(&b, high, sizeof b);
    *both = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

// Interleaving in each half of the vectors.
#define LOW16(a, b) \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 8, 24, 9, 25, 10, 26, 11, 27)
#define HIGH16(a, b) \
    __builtin_shufflevector(a, b, 4, 20, 5, 21, 6, 22, 7, 23, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOW32(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH32(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define LOW64(a, b) __builtin_shufflevector(a, b, 0, 4, 2, 6)
#define HIGH64(a, b) __builtin_shufflevector(a, b, 1, 5, 3, 7)

// Four vectors of words: element i of each becomes vector i.
LOCAL void LEVEL(store_words)(const u32x8 v[4], uint8_t *to) {
    u64x4 low0 = (u64x4)LOW32(v[0], v[1]), low1 = (u64x4)LOW32(v[2], v[3]);
    u64x4 high0 = (u64x4)HIGH32(v[0], v[1]), high1 = (u64x4)HIGH32(v[2], v[3]);
    *(u64x4 *)to = LOW64(low0, low1);
    *(u64x4 *)(to + VECTOR) = HIGH64(low0, low1);
    *(u64x4 *)(to + 2 * VECTOR) = LOW64(high0, high1);
    *(u64x4 *)(to + 3 * VECTOR) = HIGH64(high0, high1);
}

// Eight vectors of halfwords: element i of each becomes vector i.
LOCAL void LEVEL(store_halfwords)(const u16x16 v[8], uint8_t *to) {
    u32x8 low[4], high[4];
    for (size_t i = 0; i < 4; i++) {
        low[i] = (u32x8)LOW16(v[2 * i], v[2 * i + 1]);
        high[i] = (u32x8)HIGH16(v[2 * i], v[2 * i + 1]);
    }
    LEVEL(store_words)(low, to);
    LEVEL(store_words)(high, to + 4 * VECTOR);
}

KERNEL void LEVEL(halves)(
    const void *source, size_t row_bytes, size_t block_bytes, size_t count, uint16_t *table) {
    const uint8_t *row = source;
    for (size_t r = 0; r < ROWS; r++, row += row_bytes) {
        uint16_t *lane = table + 2 * (r % 32) + r / 32;
        const uint8_t *block = row;
        for (size_t b = 0; b < count; b++, block += block_bytes) memcpy(lane + b * ROWS, block, 2);
    }
}

KERNEL void LEVEL(largest_half)(const uint16_t *table, size_t count, uint16_t *largest) {
    for (size_t first = 0; first < ROWS; first += 16) {
        s16x16 found = {0};
        for (size_t b = 0; b < count; b++) {
            s16x16 value = *(const s16x16 *)(table + b * ROWS + first) & 0x7fff;
            found = __builtin_elementwise_max(found, value);
        }
        *(s16x16 *)(largest + first) = found;
    }
}

// Eight half-precision numbers.
LOCAL void LEVEL(floats)(f32x8 *floats, const uint16_t *halves) {
#ifdef HAS_F16C
    *floats = (f32x8)_mm256_cvtph_ps(*(const __m128i *)halves);
#else
    u32x8 bits = __builtin_convertvector(*(const u16x8 *)halves, u32x8);
    // Exponents differ by 112; the product is exact, subnormal halves included.
    f32x8 magnitude = (f32x8)((bits & 0x7fff) << 13) * 0x1p112f;
    *floats = (f32x8)((u32x8)magnitude | (bits & 0x8000) << 16);
#endif
}

// Adding 1.5 * 2^23 rounds to an integer, ties to even.
KERNEL void LEVEL(mantissas_of_halves)(const uint16_t *halves, const float *factors, uint16_t *mantissas) {
    for (size_t lane = 0; lane < ROWS; lane += 16) {
        f32x8 low, high;
        LEVEL(floats)(&low, halves + lane);
        LEVEL(floats)(&high, halves + lane + 8);
        low = low * *(const f32x8 *)(factors + lane) + 12582912.0f;
        high = high * *(const f32x8 *)(factors + lane + 8) + 12582912.0f;
        *(u16x16 *)(mantissas + lane) = __builtin_shufflevector(
            (u16x16)low, (u16x16)high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    }
}

KERNEL void LEVEL(mantissas)(const float *values, const float *factors, float step, uint16_t *mantissas) {
    for (size_t lane = 0; lane < ROWS; lane += 8) {
        f32x8 value = *(const f32x8 *)(values + lane) * (*(const f32x8 *)(factors + lane) * step);
        s32x8 rounded = (s32x8)(value + 12582912.0f) - 0x4b400000;
        const s32x8 limit = (s32x8){0} + 32767;
        rounded = __builtin_elementwise_max(__builtin_elementwise_min(rounded, limit), -limit);
        *(u16x8 *)(mantissas + lane) = __builtin_convertvector((u32x8)rounded & 0xffff, u16x8);
    }
}

KERNEL void LEVEL(nibbles)(const void *source, size_t row_bytes, void *plane, const void *ahead, size_t size) {
    for (size_t piece = 0; piece < 4; piece++) {
        prefetch((const char *)ahead + piece * size / 4, size / 4);
        const uint8_t *row = (const uint8_t *)source + 8 * piece * row_bytes;
        u16x16 v[8];
        for (size_t i = 0; i < 8; i++) {
            const uint8_t *first = row + (i / 2 + i % 2 * 32) * row_bytes;
            u16x16 codes;
            LEVEL(load_two)(&codes, first, first + 4 * row_bytes);
            // Of each two bytes, the low nibbles into one, the high ones into the other.
            u16x16 difference = (codes ^ codes >> 4) & 0x00f0;
            v[i] = codes ^ difference ^ difference << 4;
        }
        LEVEL(store_halfwords)(v, (uint8_t *)plane + 32 * piece);
    }
}

KERNEL void LEVEL(nibble_pairs)(
    const void *source, size_t row_bytes, void *low_plane, void *high_plane, const void *ahead, size_t size) {
    for (size_t piece = 0; piece < 4; piece++) {
        prefetch((const char *)ahead + piece * size / 4, size / 4);
        const uint8_t *row = (const uint8_t *)source + 8 * piece * row_bytes;
        u16x16 low[8], high[8];
        for (size_t i = 0; i < 8; i++) {
            const uint8_t *first = row + (i / 2 + i % 2 * 32) * row_bytes;
            u16x16 a, b;
            LEVEL(load_two)(&a, first, first + 4 * row_bytes);
            LEVEL(load_two)(&b, first + 16, first + 4 * row_bytes + 16);
            // Two nibbles in the lower byte of a halfword from each 16 bytes.
            u16x16 low_a = a & 0x0f0f, low_b = b & 0x0f0f, high_a = a >> 4 & 0x0f0f, high_b = b >> 4 & 0x0f0f;
            low[i] = ((low_a | low_a >> 4) & 0x00ff) | ((low_b | low_b >> 4) << 8);
            high[i] = ((high_a | high_a >> 4) & 0x00ff) | ((high_b | high_b >> 4) << 8);
        }
        LEVEL(store_halfwords)(low, (uint8_t *)low_plane + 32 * piece);
        LEVEL(store_halfwords)(high, (uint8_t *)high_plane + 32 * piece);
    }
}

KERNEL void LEVEL(bytes)(const void *source, size_t row_bytes, void *plane, const void *ahead, size_t size) {
    for (size_t piece = 0; piece < 8; piece++) {
        prefetch((const char *)ahead + piece * size / 8, size / 8);
        const uint8_t *row = (const uint8_t *)source + 8 * piece * row_bytes;
        uint8_t *to = (uint8_t *)plane + piece / 4 * 8 * VECTOR + piece % 4 * 32;
        u32x8 low[4], high[4];
        for (size_t i = 0; i < 4; i++) {
            const uint8_t *first = row + i * row_bytes, *second = first + 4 * row_bytes;
            u16x16 a, b;
            LEVEL(load_two)(&a, first, second);
            LEVEL(load_two)(&b, first + 16, second + 16);
            // A word is two bytes of each half of the block.
            low[i] = (u32x8)LOW16(a, b) ^ 0x80808080;
            high[i] = (u32x8)HIGH16(a, b) ^ 0x80808080;
        }
        LEVEL(store_words)(low, to);
        LEVEL(store_words)(high, to + 4 * VECTOR);
    }
}

KERNEL void LEVEL(stream)(void *destination, const void *source, size_t size) {
    u16x16 *to = destination;
    const u16x16 *from = source;
    for (size_t i = 0; i < size / sizeof *to; i++) __builtin_nontemporal_store(from[i], to + i);
}

// Eight vectors of floats: element i of each becomes 64 floats' vector i, eight lanes of it.
LOCAL void LEVEL(store_floats)(const f32x8 v[8], float *to) {
    u64x4 w[8];
    for (size_t i = 0; i < 8; i += 4) {
        const u32x8 a = (u32x8)v[i], b = (u32x8)v[i + 1], c = (u32x8)v[i + 2], d = (u32x8)v[i + 3];
        w[i] = LOW64((u64x4)LOW32(a, b), (u64x4)LOW32(c, d));
        w[i + 1] = HIGH64((u64x4)LOW32(a, b), (u64x4)LOW32(c, d));
        w[i + 2] = LOW64((u64x4)HIGH32(a, b), (u64x4)HIGH32(c, d));
        w[i + 3] = HIGH64((u64x4)HIGH32(a, b), (u64x4)HIGH32(c, d));
    }
    for (size_t i = 0; i < 4; i++) {
        *(u64x4 *)(to + i * ROWS) = __builtin_shufflevector(w[i], w[4 + i], 0, 1, 4, 5);
        *(u64x4 *)(to + (4 + i) * ROWS) = __builtin_shufflevector(w[i], w[4 + i], 2, 3, 6, 7);
    }
}

KERNEL void LEVEL(six_bit_factors)(
    const void *source, size_t row_bytes, float zero, float *scales, float *minima) {
    for (size_t lane = 0; lane < ROWS; lane += 8) {
        f32x8 found[8], low[8];
        for (size_t i = 0; i < 8; i++) {
            const uint8_t *row = (const uint8_t *)source + (lane / 2 + i / 2 + i % 2 * 32) * row_bytes;
            const float scale = float_of_f16(load_half(row)), minimum = float_of_f16(load_half(row + 2));
            uint32_t packed[3];
            memcpy(packed, row + 4, sizeof packed);
            const uint32_t factors[2] = {
                packed[0] & 0x3f3f3f3f, (packed[2] & 0x0f0f0f0f) | (packed[0] >> 2 & 0x30303030)};
            const uint32_t minimum_factors[2] = {
                packed[1] & 0x3f3f3f3f, (packed[2] >> 4 & 0x0f0f0f0f) | (packed[1] >> 2 & 0x30303030)};
            u8x8 a, b;
            memcpy(&a, factors, sizeof a);
            memcpy(&b, minimum_factors, sizeof b);
            found[i] = scale * __builtin_convertvector(a, f32x8);
            low[i] = minimum * __builtin_convertvector(b, f32x8) - zero * found[i];
        }
        LEVEL(store_floats)(found, scales + lane);
        LEVEL(store_floats)(low, minima + lane);
    }
}

KERNEL void LEVEL(eight_bit_factors)(const void *source, size_t row_bytes, float *scales) {
    for (size_t lane = 0; lane < ROWS; lane += 8) {
        f32x8 first[8], second[8];
        for (size_t i = 0; i < 8; i++) {
            const uint8_t *row = (const uint8_t *)source + (lane / 2 + i / 2 + i % 2 * 32) * row_bytes;
            const float scale = float_of_f16(load_half(row + 16));
            s8x8 a, b;
            memcpy(&a, row, sizeof a);
            memcpy(&b, row + 8, sizeof b);
            first[i] = scale * __builtin_convertvector(a, f32x8);
            second[i] = scale * __builtin_convertvector(b, f32x8);
        }
        LEVEL(store_floats)(first, scales + lane);
        LEVEL(store_floats)(second, scales + 8 * ROWS + lane);
    }
}

KERNEL void LEVEL(largest)(const float *table, size_t count, float factor, float *largest) {
    for (size_t lane = 0; lane < ROWS; lane += 8) {
        // Magnitudes of floats are ordered as their bits.
        s32x8 found = *(const s32x8 *)(largest + lane);
        for (size_t i = 0; i < count; i++) {
            const f32x8 value = *(const f32x8 *)(table + i * ROWS + lane) * factor;
            found = __builtin_elementwise_max(found, (s32x8)value & 0x7fffffff);
        }
        *(s32x8 *)(largest + lane) = found;
    }
}

static const cpu_repack_kernels LEVEL(kernels) = {
    .six_bit_factors = LEVEL(six_bit_factors),
    .eight_bit_factors = LEVEL(eight_bit_factors),
    .largest = LEVEL(largest),
    .halves = LEVEL(halves),
    .largest_half = LEVEL(largest_half),
    .mantissas_of_halves = LEVEL(mantissas_of_halves),
    .mantissas = LEVEL(mantissas),
    .nibbles = LEVEL(nibbles),
    .nibble_pairs = LEVEL(nibble_pairs),
    .bytes = LEVEL(bytes),
    .stream = LEVEL(stream),
    .streamed = streamed,
    .prefetch = prefetch,
};

#undef LOW16
#undef HIGH16
#undef LOW32
#undef HIGH32
#undef LOW64
#undef HIGH64
