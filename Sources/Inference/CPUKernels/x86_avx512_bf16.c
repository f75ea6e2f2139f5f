// AVX-512 with products of bfloat16: batches of BF16 weights. All else is the level's below: half precision has three bits
// more, and models that have it are computed without losing them.
#if defined(__x86_64__)
enum { DEPTH = 1024, TILE_COLUMNS = 8 };

#include "x86_avx512_bf16.h"

// The tile times `width` columns, of which `present` exist (the last is multiplied again for the others), onto dst unless
// first_column is 0; `rows` of it exist. Every sum takes its pairs in their order, in one lane.
LOCAL void multiply_tile(
    const pair_tile *t, const cpu_product *p, size_t first_column, size_t depth, size_t c, const int width,
    size_t present, float *dst, size_t rows) {
    const __mmask16 lanes[HALVES] = {
        (__mmask16)(rows >= LANES ? 0xffff : (1u << rows) - 1),
        (__mmask16)(rows >= TILE_ROWS ? 0xffff : rows > LANES ? (1u << (rows - LANES)) - 1 : 0)};
    const uint8_t *xs[TILE_COLUMNS];
    __m512 sums[HALVES][TILE_COLUMNS];
    for (size_t j = 0; j < (size_t)width; j++) {
        const size_t own = min_size(j, present - 1);
        xs[j] = prepared_column(p, c + own) + 2 * first_column;
        for (size_t half = 0; half < HALVES; half++) {
            const float *out = dst + own * p->dst_stride + half * LANES;
            sums[half][j] = first_column ? _mm512_maskz_loadu_ps(lanes[half], out) : _mm512_setzero_ps();
        }
    }
    for (size_t i = 0; i < (depth + 1) / 2; i++) {
        const __m512bh w0 = (__m512bh)t->pairs[i][0], w1 = (__m512bh)t->pairs[i][1];
        for (int j = 0; j < width; j++) {
            const __m512bh x = (__m512bh)_mm512_set1_epi32(load_int(xs[j], i));
            sums[0][j] = _mm512_dpbf16_ps(sums[0][j], w0, x);
            sums[1][j] = _mm512_dpbf16_ps(sums[1][j], w1, x);
        }
    }
    for (size_t j = 0; j < (size_t)width; j++)
        for (size_t half = 0; j < present && half < HALVES; half++)
            _mm512_mask_storeu_ps(dst + j * p->dst_stride + half * LANES, lanes[half], sums[half][j]);
}

KERNEL void matmul_bf16(const cpu_product *p, size_t row_begin, size_t row_end) {
    if (p->activation_kind != CPU_ACTIVATIONS_BF16 || p->columns == 0) {
        cpu_kernels_avx512_vnni.matmul[CPU_BF16](p, row_begin, row_end);
        return;
    }
    pair_tile t;
    for (size_t r = row_begin; r < row_end; r += TILE_ROWS)
        for (size_t k = 0; k < p->columns; k += DEPTH) {
            const size_t depth = min_size(DEPTH, p->columns - k);
            unpack_bf16(&t, p, r, row_end, k, depth);
            for (size_t c = 0; c < p->count; c += TILE_COLUMNS) {
                const size_t present = min_size(TILE_COLUMNS, p->count - c);
                float *dst = p->dst + c * p->dst_stride + r;
                if (present > TILE_COLUMNS / 2)
                    multiply_tile(&t, p, k, depth, c, TILE_COLUMNS, present, dst, row_end - r);
                else
                    multiply_tile(&t, p, k, depth, c, TILE_COLUMNS / 2, present, dst, row_end - r);
            }
        }
}

cpu_kernels cpu_kernels_avx512_bf16;

__attribute__((constructor)) static void fill_table(void) {
    cpu_kernels *table = &cpu_kernels_avx512_bf16;
    *table = cpu_kernels_avx512_vnni;
    table->matmul[CPU_BF16] = matmul_bf16;
    table->activations_of_batch[CPU_BF16] = CPU_ACTIVATIONS_BF16;
    table->prepare[CPU_ACTIVATIONS_BF16] = prepare_bf16;
}
#endif
