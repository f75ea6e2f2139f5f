// Batches of weights of 16 bits as integers: vpdpwssd does twice as many multiplications as vfmadd. Part of
// x86_avx512_vnni.c.
//
// 32 weights of a row, and 32 activations, become codes of 14 bits under a scale, so that the sum of 32 products stays
// below 2^31: an error of 1e-8 of a product's power (a product of bfloat16: 2e-6). A vector holds two weights of each
// of 16 rows.
enum { INT16_ROWS = 32, INT16_BLOCKS = 64, INT16_COLUMNS = 4, PAIRS = BLOCK / 2 };

typedef struct {
    __m512i codes[INT16_BLOCKS][PAIRS][INT16_ROWS / LANES];
    __m512 scales[INT16_BLOCKS][INT16_ROWS / LANES];
} int16_tile;

// In each lane the largest magnitude of a block's weights.
LOCAL __m512 largest_of_pairs(const __m512i pairs[PAIRS], float_kind kind) {
    const __m512i magnitude = _mm512_set1_epi16(0x7fff);
    __m512i largest = _mm512_setzero_si512();
    for (size_t i = 0; i < PAIRS; i++)
        largest = _mm512_max_epu16(largest, _mm512_and_si512(pairs[i], magnitude));
    largest = _mm512_max_epu16(largest, _mm512_srli_epi32(largest, 16));
    return float_of_halves(largest, 0, kind);
}

// 32 weights of 16 rows; past `present` they are 0.
LOCAL void unpack_int16_block(
    int16_tile *t, size_t b, size_t half, const uint8_t *const weights[LANES], size_t present, float_kind kind) {
    __m512i pairs[PAIRS];
    uint8_t last[LANES][2 * BLOCK];
    const uint8_t *rows[LANES];
    for (size_t r = 0; r < LANES; r++) {
        rows[r] = weights[r];
        if (present >= BLOCK) continue;
        memset(last[r], 0, sizeof last[r]);
        memcpy(last[r], rows[r], 2 * present);
        rows[r] = last[r];
    }
    for (size_t i = 0; i < PAIRS; i += 4) {
        transpose(rows, 0, pairs + i);
        for (size_t r = 0; r < LANES; r++) rows[r] += 16;
    }
    const __m512 largest = largest_of_pairs(pairs, kind), most = _mm512_set1_ps(INT16_CODE_MAX);
    // A fault's codes become 0.
    const __mmask16 is_sound = _mm512_cmp_ps_mask(largest, _mm512_set1_ps(INFINITY), _CMP_LT_OQ);
    const __mmask16 is_seen = is_sound
        & _mm512_cmp_ps_mask(largest, _mm512_set1_ps(float_of_bits(SMALLEST_BLOCK_BITS)), _CMP_GE_OQ);
    const __m512 factor = _mm512_maskz_div_ps(is_seen, most, largest);
    t->scales[b][half] = _mm512_mask_blend_ps(
        is_sound, _mm512_set1_ps(float_of_bits(QUIET_NAN_BITS)), _mm512_maskz_div_ps(is_seen, largest, most));
    for (size_t i = 0; i < PAIRS; i++) {
        const __m512i low = _mm512_cvtps_epi32(_mm512_mul_ps(float_of_halves(pairs[i], 0, kind), factor));
        const __m512i high = _mm512_cvtps_epi32(_mm512_mul_ps(float_of_halves(pairs[i], 1, kind), factor));
        t->codes[b][i][half] = _mm512_mask_blend_epi16(0xaaaaaaaa, low, _mm512_slli_epi32(high, 16));
    }
}

LOCAL void unpack_int16(
    int16_tile *t, const cpu_product *p, size_t first_row, size_t row_end, size_t first_block, size_t blocks,
    float_kind kind) {
    for (size_t half = 0; half < INT16_ROWS / LANES; half++) {
        const uint8_t *rows[LANES];
        for (size_t r = 0; r < LANES; r++)
            rows[r] = (const uint8_t *)p->weights
                      + min_size(first_row + half * LANES + r, row_end - 1) * p->weight_row_bytes
                      + first_block * BLOCK * 2;
        for (size_t b = 0; b < blocks; b++) {
            unpack_int16_block(t, b, half, rows, p->columns - (first_block + b) * BLOCK, kind);
            for (size_t r = 0; r < LANES; r++) rows[r] += 2 * BLOCK;
        }
    }
}

// The tile times `present` columns, and the last of them again up to INT16_COLUMNS, onto dst unless first_block is 0;
// `rows` of it exist.
LOCAL void multiply_int16(
    const int16_tile *t, const cpu_product *p, size_t first_block, size_t blocks, size_t c, size_t present,
    float *dst, size_t rows) {
    const __mmask16 lanes[2] = {first_lanes(rows), rows > LANES ? first_lanes(rows - LANES) : 0};
    const size_t all_blocks = (p->columns + BLOCK - 1) / BLOCK;
    const uint8_t *codes[INT16_COLUMNS], *scales[INT16_COLUMNS];
    __m512 sums[2][INT16_COLUMNS];
    for (size_t j = 0; j < INT16_COLUMNS; j++) {
        const size_t own = min_size(j, present - 1);
        const uint8_t *row = prepared_column(p, c + own);
        codes[j] = row + first_block * BLOCK * 2;
        scales[j] = row + all_blocks * BLOCK * 2 + first_block * sizeof(float);
        for (size_t half = 0; half < 2; half++)
            sums[half][j] = first_block ? _mm512_maskz_loadu_ps(lanes[half], dst + own * p->dst_stride + half * LANES)
                                        : _mm512_setzero_ps();
    }
    for (size_t b = 0; b < blocks; b++) {
        // What the next columns will want; past the last one nothing is read.
        for (size_t j = 0; j < INT16_COLUMNS; j++)
            _mm_prefetch((const char *)codes[j] + INT16_COLUMNS * p->activation_row_bytes + b * BLOCK * 2, _MM_HINT_T0);
        __m512i products[2][INT16_COLUMNS];
        for (int j = 0; j < INT16_COLUMNS; j++) products[0][j] = products[1][j] = _mm512_setzero_si512();
        for (size_t i = 0; i < PAIRS; i++) {
            const __m512i w0 = t->codes[b][i][0], w1 = t->codes[b][i][1];
            for (int j = 0; j < INT16_COLUMNS; j++) {
                const __m512i x = _mm512_set1_epi32(load_int(codes[j], b * PAIRS + i));
                products[0][j] = _mm512_dpwssd_epi32(products[0][j], w0, x);
                products[1][j] = _mm512_dpwssd_epi32(products[1][j], w1, x);
            }
        }
        for (int j = 0; j < INT16_COLUMNS; j++) {
            const __m512 scale = _mm512_set1_ps(load_float(scales[j], b));
            for (int half = 0; half < 2; half++)
                sums[half][j] = _mm512_fmadd_ps(
                    _mm512_cvtepi32_ps(products[half][j]), _mm512_mul_ps(t->scales[b][half], scale), sums[half][j]);
        }
    }
    for (size_t j = 0; j < INT16_COLUMNS; j++)
        for (size_t half = 0; j < present && half < 2; half++)
            _mm512_mask_storeu_ps(dst + j * p->dst_stride + half * LANES, lanes[half], sums[half][j]);
}

LOCAL void matmul_int16(const cpu_product *p, size_t row_begin, size_t row_end, float_kind kind) {
    const size_t blocks = (p->columns + BLOCK - 1) / BLOCK;
    int16_tile t;
    for (size_t r = row_begin; r < row_end; r += INT16_ROWS)
        for (size_t b = 0; b < blocks; b += INT16_BLOCKS) {
            const size_t some = min_size(INT16_BLOCKS, blocks - b);
            unpack_int16(&t, p, r, row_end, b, some, kind);
            for (size_t c = 0; c < p->count; c += INT16_COLUMNS)
                multiply_int16(
                    &t, p, b, some, c, min_size(INT16_COLUMNS, p->count - c), p->dst + c * p->dst_stride + r,
                    row_end - r);
        }
}

// As the portable level's.
KERNEL void prepare_int16(const float *x, size_t columns, void *out) {
    const size_t blocks = (columns + BLOCK - 1) / BLOCK;
    int16_t *codes = out;
    uint8_t *scales = (uint8_t *)out + blocks * BLOCK * 2;
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    for (size_t b = 0; b < blocks; b++) {
        const size_t present = min_size(BLOCK, columns - b * BLOCK);
        const __m512 low = load_floats(x, b * BLOCK, first_lanes(present), F32);
        const __m512 high = load_floats(
            x, b * BLOCK + LANES, present > LANES ? first_lanes(present - LANES) : 0, F32);
        const uint32_t largest = _mm512_reduce_max_epu32(_mm512_max_epu32(
            _mm512_and_si512(_mm512_castps_si512(low), magnitude),
            _mm512_and_si512(_mm512_castps_si512(high), magnitude)));
        __m512i low_codes = _mm512_setzero_si512(), high_codes = low_codes;
        float scale = 0;
        if (largest >= INFINITY_BITS) {
            scale = float_of_bits(QUIET_NAN_BITS);
        } else if (largest >= SMALLEST_BLOCK_BITS) {
            scale = float_of_bits(largest) / INT16_CODE_MAX;
            const __m512 factor = _mm512_set1_ps(INT16_CODE_MAX / float_of_bits(largest));
            low_codes = _mm512_cvtps_epi32(_mm512_mul_ps(low, factor));
            high_codes = _mm512_cvtps_epi32(_mm512_mul_ps(high, factor));
        }
        _mm256_storeu_si256((__m256i *)(codes + b * BLOCK), _mm512_cvtepi32_epi16(low_codes));
        _mm256_storeu_si256((__m256i *)(codes + b * BLOCK + LANES), _mm512_cvtepi32_epi16(high_codes));
        memcpy(scales + b * sizeof scale, &scale, sizeof scale);
    }
}
