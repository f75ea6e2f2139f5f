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

// Four vectors of words: element i of each becomes vector i, `step` bytes after the one before.
LOCAL void LEVEL(store_words)(const u32x8 v[4], uint8_t *to, ptrdiff_t step) {
    u64x4 low0 = (u64x4)LOW32(v[0], v[1]), low1 = (u64x4)LOW32(v[2], v[3]);
    u64x4 high0 = (u64x4)HIGH32(v[0], v[1]), high1 = (u64x4)HIGH32(v[2], v[3]);
    *(u64x4 *)to = LOW64(low0, low1);
    *(u64x4 *)(to + step) = HIGH64(low0, low1);
    *(u64x4 *)(to + 2 * step) = LOW64(high0, high1);
    *(u64x4 *)(to + 3 * step) = HIGH64(high0, high1);
}

// Eight vectors of halfwords: element i of each becomes vector i, the second four of them at `second`.
LOCAL void LEVEL(store_halfwords)(const u16x16 v[8], uint8_t *first, uint8_t *second, ptrdiff_t step) {
    u32x8 low[4], high[4];
    for (size_t i = 0; i < 4; i++) {
        low[i] = (u32x8)LOW16(v[2 * i], v[2 * i + 1]);
        high[i] = (u32x8)HIGH16(v[2 * i], v[2 * i + 1]);
    }
    LEVEL(store_words)(low, first, step);
    LEVEL(store_words)(high, second, step);
}

// Eight lanes at a time: so many places of memory are read at once, as the processor's own fetching ahead likes it,
// and the next rows on request.
KERNEL void LEVEL(halves)(
    const void *source, size_t row_bytes, size_t block_bytes, size_t count, uint16_t *table, uint16_t *largest) {
    for (size_t lane = 0; lane < ROWS; lane += 8) {
        const uint8_t *a = (const uint8_t *)source + lane / 2 * row_bytes, *b = a + ROWS / 2 * row_bytes;
        const uint8_t *next_a = a + 4 * row_bytes, *next_b = b + 4 * row_bytes;
        size_t fetched = lane + 8 < ROWS ? 0 : SIZE_MAX;
        s16x8 found = {0};
        for (size_t i = 0; i < count; i++, a += block_bytes, b += block_bytes) {
            for (; fetched < 4 * block_bytes * (i + 1); fetched += 64) {
                __builtin_prefetch(next_a + fetched, 0, 3);
                __builtin_prefetch(next_b + fetched, 0, 3);
            }
            const u16x8 v = {
                load_half(a), load_half(b), load_half(a + row_bytes), load_half(b + row_bytes),
                load_half(a + 2 * row_bytes), load_half(b + 2 * row_bytes),
                load_half(a + 3 * row_bytes), load_half(b + 3 * row_bytes)};
            *(u16x8 *)(table + i * ROWS + lane) = v;
            found = __builtin_elementwise_max(found, (s16x8)v & 0x7fff);
        }
        *(s16x8 *)(largest + lane) = found;
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
        uint8_t *to = (uint8_t *)plane + 32 * piece;
        LEVEL(store_halfwords)(v, to, to + 4 * VECTOR, VECTOR);
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
        uint8_t *to = (uint8_t *)low_plane + 32 * piece;
        LEVEL(store_halfwords)(low, to, to + 4 * VECTOR, VECTOR);
        to = (uint8_t *)high_plane + 32 * piece;
        LEVEL(store_halfwords)(high, to, to + 4 * VECTOR, VECTOR);
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
        LEVEL(store_words)(low, to, VECTOR);
        LEVEL(store_words)(high, to + 4 * VECTOR, VECTOR);
    }
}

KERNEL void LEVEL(nibble_words)(const void *source, size_t row_bytes, void *plane) {
    for (size_t piece = 0; piece < 8; piece++) {
        const uint8_t *row = (const uint8_t *)source + 8 * piece * row_bytes;
        u32x8 v[4];
        for (size_t i = 0; i < 4; i++) {
            const uint8_t *first = row + i * row_bytes;
            u16x16 both;
            LEVEL(load_two)(&both, first, first + 4 * row_bytes);
            const u32x8 w = (u32x8)both;
            v[i] = (w & 0xf0f00f0f) | (w >> 12 & 0x0000f0f0) | (w << 12 & 0x0f0f0000);
        }
        LEVEL(store_words)(v, (uint8_t *)plane + piece / 4 * 4 * VECTOR + piece % 4 * 32, VECTOR);
    }
}

// Exchanges the bits under `mask` with those `shift` above.
#define EXCHANGE(bits, shift, mask) \
    do { \
        const u64x4 difference = (bits ^ bits >> (shift)) & (mask); \
        bits ^= difference ^ difference << (shift); \
    } while (0)

// 32 bytes of a row and of the row four on: the even bytes of the first half in the lower bytes of halfwords, of the
// second in the upper ones, and the odd bytes in the same way.
LOCAL void LEVEL(load_parted)(u64x4 parts[2], const uint8_t *row, size_t row_bytes) {
    u16x16 a, b;
    LEVEL(load_two)(&a, row, row + 4 * row_bytes);
    LEVEL(load_two)(&b, row + 16, row + 4 * row_bytes + 16);
    parts[0] = (u64x4)((a & 0x00ff) | b << 8);
    parts[1] = (u64x4)(a >> 8 | (b & 0xff00));
}

KERNEL void LEVEL(pairs)(const void *source, size_t row_bytes, void *plane, ptrdiff_t step) {
    for (size_t piece = 0; piece < 4; piece++) {
        const uint8_t *row = (const uint8_t *)source + 8 * piece * row_bytes;
        u16x16 even[8], odd[8];
        for (size_t i = 0; i < 8; i++) {
            u64x4 parts[2];
            LEVEL(load_parted)(parts, row + (i / 2 + i % 2 * 32) * row_bytes, row_bytes);
            // Pair q of halfword f becomes pair f of halfword q, of each four.
            for (size_t k = 0; k < 2; k++) {
                EXCHANGE(parts[k], 14, 0x0000cccc0000ccccu);
                EXCHANGE(parts[k], 28, 0x00000000f0f0f0f0u);
            }
            even[i] = (u16x16)parts[0];
            odd[i] = (u16x16)parts[1];
        }
        uint8_t *to = (uint8_t *)plane + 32 * piece;
        LEVEL(store_halfwords)(even, to, to + 2 * VECTOR, step);
        LEVEL(store_halfwords)(odd, to + VECTOR, to + 3 * VECTOR, step);
    }
}

KERNEL void LEVEL(bits)(const void *source, size_t row_bytes, void *plane, ptrdiff_t step, int in_order) {
    for (size_t piece = 0; piece < 4; piece++) {
        const uint8_t *row = (const uint8_t *)source + 8 * piece * row_bytes;
        u16x16 even[8], odd[8];
        for (size_t i = 0; i < 8; i++) {
            u64x4 parts[2];
            LEVEL(load_parted)(parts, row + (i / 2 + i % 2 * 32) * row_bytes, row_bytes);
            // Bit s of halfword i becomes bit i of halfword s.
            u16x16 words[2];
            for (size_t k = 0; k < 2; k++) {
                EXCHANGE(parts[k], 15, 0x0000aaaa0000aaaau);
                EXCHANGE(parts[k], 30, 0x00000000ccccccccu);
                const u64x4 x = parts[k], other = __builtin_shufflevector(x, x, 1, 0, 3, 2);
                const uint64_t low = 0x0f0f0f0f0f0f0f0fu, high = ~low;
                const u64x4 own = {low, high, low, high}, up = {high, 0, high, 0}, down = {0, low, 0, low};
                const u16x16 w = (u16x16)((x & own) | (other << 4 & up) | (other >> 4 & down));
                // Words 4, 5, 0, 1, 6, 7, 2, 3 where a plane of two bits goes with it.
                words[k] = in_order ? w
                                    : (w >> 4 & 0x0303) | (w << 2 & 0x0c0c) | (w >> 2 & 0x3030)
                                          | (w << 4 & 0xc0c0);
            }
            even[i] = words[0];
            odd[i] = words[1];
        }
        uint8_t *to = (uint8_t *)plane + 32 * piece;
        LEVEL(store_halfwords)(even, to, to + 4 * step, step);
        LEVEL(store_halfwords)(odd, to + VECTOR, to + VECTOR + 4 * step, step);
    }
}

#undef EXCHANGE

// Digits of bytes that are fractions of 256 in base 3: the whole part of three times the fraction, and what is left.
#define DIGIT(digit, fractions) \
    do { \
        digit = -(__typeof__(digit))((fractions > 170) + (fractions > 85)); \
        fractions *= 3; \
    } while (0)

KERNEL void LEVEL(ternary_digits)(const void *source, size_t row_bytes, void *codes) {
    const uint8_t *row = source;
    uint8_t *to = codes;
    for (size_t r = 0; r < ROWS; r++, row += row_bytes, to += 64) {
        u8x32 wide, digit[5];
        u8x16 narrow, half[5];
        u8x4 last, quarter[4];
        memcpy(&wide, row, sizeof wide);
        memcpy(&narrow, row + 32, sizeof narrow);
        memcpy(&last, row + 48, sizeof last);
        for (size_t i = 0; i < 5; i++) DIGIT(digit[i], wide);
        for (size_t i = 0; i < 5; i++) DIGIT(half[i], narrow);
        for (size_t i = 0; i < 4; i++) DIGIT(quarter[i], last);
        *(u8x32 *)to = digit[0] | digit[1] << 2 | digit[2] << 4 | digit[3] << 6;
        // Four digits of 32 more weights each, put together of smaller pieces.
        const u8x16 lower = half[0] << 2 | half[2] << 4 | half[4] << 6;
        u8x16 upper = half[1] << 2 | half[3] << 4;
        const u8x8 q01 = __builtin_shufflevector(quarter[0], quarter[1], 0, 1, 2, 3, 4, 5, 6, 7);
        const u8x8 q23 = __builtin_shufflevector(quarter[2], quarter[3], 0, 1, 2, 3, 4, 5, 6, 7);
        upper |= __builtin_shufflevector(q01, q23, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) << 6;
        u8x32 second;
        memcpy(&second, &lower, sizeof lower);
        memcpy((uint8_t *)&second + sizeof lower, &upper, sizeof upper);
        *(u8x32 *)(to + 32) = digit[4] | second;
    }
}

#undef DIGIT

KERNEL void LEVEL(largest_of_halves)(
    const void *source, size_t row_bytes, size_t count, uint16_t *table, uint16_t *largest) {
    const uint8_t *row = source;
    for (size_t r = 0; r < ROWS; r++, row += row_bytes) {
        const size_t lane = 2 * (r % 32) + r / 32;
        int16_t most = 0;
        for (size_t i = 0; i < count; i++) {
            s16x16 a, b;
            memcpy(&a, row + 64 * i, sizeof a);
            memcpy(&b, row + 64 * i + 32, sizeof b);
            if (r + 2 < ROWS) __builtin_prefetch(row + 2 * row_bytes + 64 * i, 0, 3);
            const int16_t found = __builtin_reduce_max(__builtin_elementwise_max(a & 0x7fff, b & 0x7fff));
            table[ROWS * i + lane] = (uint16_t)found;
            most = found > most ? found : most;
        }
        largest[lane] = (uint16_t)most;
    }
}

KERNEL void LEVEL(largest_of_floats)(const void *source, size_t row_bytes, size_t count, float *table) {
    const uint8_t *row = source;
    for (size_t r = 0; r < ROWS; r++, row += row_bytes) {
        float *lane = table + 2 * (r % 32) + r / 32;
        for (size_t i = 0; i < count; i++) {
            s32x8 found = {0};
            for (size_t k = 0; k < 4; k++) {
                s32x8 bits;
                memcpy(&bits, row + 128 * i + 32 * k, sizeof bits);
                found = __builtin_elementwise_max(found, bits & 0x7fffffff);
            }
            if (r + 2 < ROWS) {
                __builtin_prefetch(row + 2 * row_bytes + 128 * i, 0, 3);
                __builtin_prefetch(row + 2 * row_bytes + 128 * i + 64, 0, 3);
            }
            lane[ROWS * i] = float_of_bits((uint32_t)__builtin_reduce_max(found));
        }
    }
}

KERNEL void LEVEL(code_scales)(float *scales, const float *units, size_t count, float *inverses) {
    for (size_t lane = 0; lane < ROWS; lane += 8) {
        const f32x8 unit = *(const f32x8 *)(units + lane);
        for (size_t i = lane; i < count * ROWS + lane; i += ROWS) {
            f32x8 mantissa = *(const f32x8 *)(scales + i) / 2047.0f / unit;
            mantissa = (f32x8)((s32x8)mantissa & (s32x8)(unit > 0.0f));
            // Below 2^22: to the nearest integer, and one up where that was down.
            f32x8 whole = (mantissa + 8388608.0f) - 8388608.0f;
            whole += (f32x8)((s32x8)(whole < mantissa) & (s32x8)((f32x8){0} + 1.0f));
            const f32x8 scale = whole * unit;
            *(f32x8 *)(scales + i) = scale;
            *(f32x8 *)(inverses + i) = (f32x8)((s32x8)(1.0f / scale) & (s32x8)(scale > 0.0f));
        }
    }
}

// Four vectors of eight weights as codes and their pieces.
LOCAL void LEVEL(store_codes)(const f32x8 v[4], float factor, uint8_t *to) {
    u16x16 codes[2];
    for (size_t k = 0; k < 2; k++) {
        s32x8 part[2];
        for (size_t j = 0; j < 2; j++) {
            // Adding 1.5 * 2^23 rounds to an integer, ties to even.
            part[j] = (s32x8)(v[2 * k + j] * factor + 12582912.0f) - (0x4b400000 - 2048);
            part[j] = __builtin_elementwise_max(__builtin_elementwise_min(part[j], (s32x8){0} + 4095), (s32x8){0} + 1);
        }
        codes[k] = __builtin_shufflevector(
            (u16x16)part[0], (u16x16)part[1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    }
    const u8x32 a = (u8x32)(codes[0] >> 4), b = (u8x32)(codes[1] >> 4);
    const u8x32 upper = __builtin_shufflevector(
        a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44, 46, 48, 50, 52, 54,
        56, 58, 60, 62) ^ 0x80;
    const u8x32 lower = (u8x32)((codes[0] & 15) | (codes[1] & 15) << 4);
    const u8x16 nibbles = __builtin_shufflevector(lower, lower, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    memcpy(to, &upper, sizeof upper);
    memcpy(to + 32, &nibbles, sizeof nibbles);
}

#define CODES(name, bytes, load) \
    KERNEL void LEVEL(name)(const void *source, size_t row_bytes, const float *factors, void *codes) { \
        const uint8_t *row = source; \
        uint8_t *to = codes; \
        for (size_t r = 0; r < ROWS; r++, row += row_bytes, to += 48) { \
            f32x8 v[4]; \
            for (size_t k = 0; k < 4; k++) load(&v[k], row + 8 * bytes * k); \
            LEVEL(store_codes)(v, factors[2 * (r % 32) + r / 32], to); \
        } \
    }

LOCAL void LEVEL(load_f32)(f32x8 *v, const uint8_t *from) { memcpy(v, from, sizeof *v); }

LOCAL void LEVEL(load_f16)(f32x8 *v, const uint8_t *from) {
    u16x8 bits;
    memcpy(&bits, from, sizeof bits);
    LEVEL(floats)(v, (const uint16_t *)&bits);
}

LOCAL void LEVEL(load_bf16)(f32x8 *v, const uint8_t *from) {
    u16x8 bits;
    memcpy(&bits, from, sizeof bits);
    *v = (f32x8)(__builtin_convertvector(bits, u32x8) << 16);
}

CODES(codes_of_f32, 4, LEVEL(load_f32))
CODES(codes_of_f16, 2, LEVEL(load_f16))
CODES(codes_of_bf16, 2, LEVEL(load_bf16))

#undef CODES

KERNEL void LEVEL(stream)(void *destination, const void *source, size_t size) {
    u16x16 *to = destination;
    const u16x16 *from = source;
    for (size_t i = 0; i < size / sizeof *to; i++) __builtin_nontemporal_store(from[i], to + i);
}

// The checksum is Fletcher's, of four columns of words: sums, and sums of the sums after each row.
KERNEL uint64_t LEVEL(copy)(void *destination, const void *source, size_t size) {
    u64x4 *to = destination;
    const uint8_t *from = source;
    u64x4 sum = {0}, sums = {0};
    for (size_t i = 0; i < size / sizeof *to; i++) {
        u64x4 words;
        memcpy(&words, from + sizeof words * i, sizeof words);
        if (to) __builtin_nontemporal_store(words, to + i);
        sum += words;
        sums += sum;
    }
    streamed();
    uint64_t checksum = size;
    for (size_t i = 0; i < 4; i++) {
        checksum = (checksum ^ sum[i]) * 0xff51afd7ed558ccdu;
        checksum = (checksum ^ checksum >> 32 ^ sums[i]) * 0xc4ceb9fe1a85ec53u;
        checksum ^= checksum >> 32;
    }
    return checksum;
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
    const void *source, size_t row_bytes, size_t block_bytes, size_t count, float zero, float *scales,
    float *minima) {
    for (size_t lane = 0; lane < ROWS; lane += 8) {
        const uint8_t *block = (const uint8_t *)source + lane / 2 * row_bytes;
        for (size_t b = 0; b < count; b++, block += block_bytes) {
            if (lane + 8 < ROWS) prefetch_rows(block + 4 * row_bytes, row_bytes, block_bytes);
            f32x8 found[8], low[8];
            for (size_t i = 0; i < 8; i++) {
                const uint8_t *row = block + (i / 2 + i % 2 * 32) * row_bytes;
                const float scale = float_of_f16(load_half(row)), minimum = float_of_f16(load_half(row + 2));
                uint32_t packed[3];
                memcpy(packed, row + 4, sizeof packed);
                const uint32_t factors[2] = {
                    packed[0] & 0x3f3f3f3f, (packed[2] & 0x0f0f0f0f) | (packed[0] >> 2 & 0x30303030)};
                const uint32_t minimum_factors[2] = {
                    packed[1] & 0x3f3f3f3f, (packed[2] >> 4 & 0x0f0f0f0f) | (packed[1] >> 2 & 0x30303030)};
                u8x8 s, m;
                memcpy(&s, factors, sizeof s);
                memcpy(&m, minimum_factors, sizeof m);
                found[i] = scale * __builtin_convertvector(s, f32x8);
                low[i] = minimum * __builtin_convertvector(m, f32x8) - zero * found[i];
            }
            LEVEL(store_floats)(found, scales + 8 * ROWS * b + lane);
            LEVEL(store_floats)(low, minima + 8 * ROWS * b + lane);
        }
    }
}

KERNEL void LEVEL(eight_bit_factors)(
    const void *source, size_t row_bytes, size_t block_bytes, size_t count, float *scales) {
    for (size_t lane = 0; lane < ROWS; lane += 8) {
        const uint8_t *block = (const uint8_t *)source + lane / 2 * row_bytes;
        for (size_t b = 0; b < count; b++, block += block_bytes) {
            if (lane + 8 < ROWS) prefetch_rows(block + 4 * row_bytes, row_bytes, block_bytes);
            f32x8 first[8], second[8];
            for (size_t i = 0; i < 8; i++) {
                const uint8_t *row = block + (i / 2 + i % 2 * 32) * row_bytes;
                const float scale = float_of_f16(load_half(row + 16));
                s8x8 s, t;
                memcpy(&s, row, sizeof s);
                memcpy(&t, row + 8, sizeof t);
                first[i] = scale * __builtin_convertvector(s, f32x8);
                second[i] = scale * __builtin_convertvector(t, f32x8);
            }
            LEVEL(store_floats)(first, scales + 16 * ROWS * b + lane);
            LEVEL(store_floats)(second, scales + (16 * b + 8) * ROWS + lane);
        }
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
    .mantissas_of_halves = LEVEL(mantissas_of_halves),
    .mantissas = LEVEL(mantissas),
    .nibbles = LEVEL(nibbles),
    .nibble_pairs = LEVEL(nibble_pairs),
    .bytes = LEVEL(bytes),
    .nibble_words = LEVEL(nibble_words),
    .pairs = LEVEL(pairs),
    .bits = LEVEL(bits),
    .ternary_digits = LEVEL(ternary_digits),
    .largest_of_halves = LEVEL(largest_of_halves),
    .largest_of_floats = LEVEL(largest_of_floats),
    .code_scales = LEVEL(code_scales),
    .codes_of_f32 = LEVEL(codes_of_f32),
    .codes_of_f16 = LEVEL(codes_of_f16),
    .codes_of_bf16 = LEVEL(codes_of_bf16),
    .stream = LEVEL(stream),
    .copy = LEVEL(copy),
    .streamed = streamed,
    .prefetch = prefetch,
};

#undef LOW16
#undef HIGH16
#undef LOW32
#undef HIGH32
#undef LOW64
#undef HIGH64
