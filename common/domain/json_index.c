#include "common/domain/json_index.h"

#include "common/domain/json_scan.h"

#include <stdalign.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { BLOCK_SIZE = 64, JOINTS_AT_ONCE = 16 };

/* What the bytes of a block are: bit i is byte i. */
struct block {
    uint64_t quotes;
    uint64_t backslashes;
    uint64_t operators; /* brackets, comma, colon */
    uint64_t spaces;
    uint64_t controls; /* below a space */
    uint64_t high;     /* above 127 */
    uint64_t blanks;   /* controls that may stand between values; looked for only where there are controls */
};

/* From block to block. */
struct scan {
    uint64_t in_string;   /* all bits set where the block before ended in a string */
    uint64_t escaped;     /* bit 0: the block's first character is escaped */
    uint64_t in_scalar;   /* bit 0: the block before ended in a number or word */
    uint64_t wrong;       /* control characters in strings */
    uint64_t high;        /* any byte above 127 */
    uint64_t backslashes; /* any */
};

/* ---- looking at 64 bytes ---- */

static struct block look_portable(const char *bytes)
{
    struct block block = {0};

    for (unsigned i = 0; i < BLOCK_SIZE; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        uint64_t bit = UINT64_C(1) << i;

        block.quotes |= byte == '"' ? bit : 0;
        block.backslashes |= byte == '\\' ? bit : 0;
        block.operators |= (byte | 0x20) == '{' || (byte | 0x20) == '}' || byte == ',' || byte == ':' ? bit : 0;
        block.spaces |= byte == ' ' ? bit : 0;
        block.controls |= byte < 0x20 ? bit : 0;
        block.blanks |= byte == '\n' || byte == '\r' || byte == '\t' ? bit : 0;
        block.high |= byte > 127 ? bit : 0;
    }
    return block;
}

#ifdef __x86_64__

#define TARGET_AVX2 __attribute__((target("avx2,bmi,popcnt")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi2,avx2,bmi,popcnt")))

static uint64_t blanks_sse2(const char *bytes)
{
    uint64_t blanks = 0;

    for (unsigned i = 0; i < BLOCK_SIZE; i += 16) {
        __m128i part = _mm_loadu_si128((const __m128i *)(const void *)(bytes + i));
        __m128i found = _mm_or_si128(_mm_cmpeq_epi8(part, _mm_set1_epi8('\t')),
                                     _mm_or_si128(_mm_cmpeq_epi8(part, _mm_set1_epi8('\n')),
                                                  _mm_cmpeq_epi8(part, _mm_set1_epi8('\r'))));

        blanks |= (uint64_t)(unsigned)_mm_movemask_epi8(found) << i;
    }
    return blanks;
}

/* Both kinds of brackets differ in one bit, so that one comparison finds them. */

static inline struct block look_sse2(const char *bytes)
{
    const __m128i case_bit = _mm_set1_epi8(0x20);
    struct block block = {0};

    for (unsigned i = 0; i < BLOCK_SIZE; i += 16) {
        __m128i part = _mm_loadu_si128((const __m128i *)(const void *)(bytes + i));
        __m128i folded = _mm_or_si128(part, case_bit);
        __m128i brackets =
            _mm_or_si128(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')), _mm_cmpeq_epi8(folded, _mm_set1_epi8('}')));
        __m128i marks =
            _mm_or_si128(_mm_cmpeq_epi8(part, _mm_set1_epi8(',')), _mm_cmpeq_epi8(part, _mm_set1_epi8(':')));
        uint64_t high = (unsigned)_mm_movemask_epi8(part);
        /* Signed: also what is above 127. */
        uint64_t low = (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(part, case_bit));

        block.quotes |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(part, _mm_set1_epi8('"'))) << i;
        block.backslashes |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(part, _mm_set1_epi8('\\'))) << i;
        block.operators |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_or_si128(brackets, marks)) << i;
        block.spaces |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(part, case_bit)) << i;
        block.controls |= (low & ~high) << i;
        block.high |= high << i;
    }
    if (__builtin_expect(block.controls != 0, 0)) {
        block.blanks = blanks_sse2(bytes);
    }
    return block;
}

TARGET_AVX2 static inline struct block look_avx2(const char *bytes)
{
    const __m256i case_bit = _mm256_set1_epi8(0x20);
    struct block block = {0};

    for (unsigned i = 0; i < BLOCK_SIZE; i += 32) {
        __m256i part = _mm256_loadu_si256((const __m256i *)(const void *)(bytes + i));
        __m256i folded = _mm256_or_si256(part, case_bit);
        __m256i brackets = _mm256_or_si256(_mm256_cmpeq_epi8(folded, _mm256_set1_epi8('{')),
                                           _mm256_cmpeq_epi8(folded, _mm256_set1_epi8('}')));
        __m256i marks = _mm256_or_si256(_mm256_cmpeq_epi8(part, _mm256_set1_epi8(',')),
                                        _mm256_cmpeq_epi8(part, _mm256_set1_epi8(':')));
        uint64_t high = (unsigned)_mm256_movemask_epi8(part);
        uint64_t low = (unsigned)_mm256_movemask_epi8(_mm256_cmpgt_epi8(case_bit, part));

        block.quotes |= (uint64_t)(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(part, _mm256_set1_epi8('"'))) << i;
        block.backslashes |= (uint64_t)(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(part, _mm256_set1_epi8('\\')))
                             << i;
        block.operators |= (uint64_t)(unsigned)_mm256_movemask_epi8(_mm256_or_si256(brackets, marks)) << i;
        block.spaces |= (uint64_t)(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(part, case_bit)) << i;
        block.controls |= (low & ~high) << i;
        block.high |= high << i;
    }
    if (__builtin_expect(block.controls != 0, 0)) {
        block.blanks = blanks_sse2(bytes);
    }
    return block;
}

TARGET_AVX512 static inline struct block look_avx512(const char *bytes)
{
    const __m512i case_bit = _mm512_set1_epi8(0x20);
    __m512i part = _mm512_loadu_si512((const void *)bytes);
    __m512i folded = _mm512_or_si512(part, case_bit);
    struct block block = {
        .quotes = _mm512_cmpeq_epi8_mask(part, _mm512_set1_epi8('"')),
        .backslashes = _mm512_cmpeq_epi8_mask(part, _mm512_set1_epi8('\\')),
        .operators = _mm512_cmpeq_epi8_mask(folded, _mm512_set1_epi8('{')) |
                     _mm512_cmpeq_epi8_mask(folded, _mm512_set1_epi8('}')) |
                     _mm512_cmpeq_epi8_mask(part, _mm512_set1_epi8(',')) |
                     _mm512_cmpeq_epi8_mask(part, _mm512_set1_epi8(':')),
        .spaces = _mm512_cmpeq_epi8_mask(part, case_bit),
        .controls = _mm512_cmplt_epu8_mask(part, case_bit),
        .high = _mm512_movepi8_mask(part),
    };

    if (__builtin_expect(block.controls != 0, 0)) {
        block.blanks = blanks_sse2(bytes);
    }
    return block;
}

#endif

/* ---- from bytes to joints ---- */

/* Bit i of the result: whether an odd number of bits is set up to and with i. */
ALWAYS_INLINE uint64_t parities(uint64_t bits)
{
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    return bits ^ bits << 32;
}

/* The characters behind an odd run of backslashes. A run that begins at an odd bit and is added to itself carries to
 * the bit behind its end, which tells where it ends; the parity of that bit, whether the run was odd. */
ALWAYS_INLINE uint64_t escaped_in(struct scan *scan, uint64_t backslashes)
{
    const uint64_t even = UINT64_C(0x5555555555555555);
    uint64_t behind;
    uint64_t odd_starts;
    uint64_t carried;

    scan->backslashes |= backslashes;
    backslashes &= ~scan->escaped;
    behind = backslashes << 1 | scan->escaped;
    odd_starts = backslashes & ~even & ~behind;
    scan->escaped = __builtin_add_overflow(odd_starts, backslashes, &carried);
    return (even ^ carried << 1) & behind;
}

ALWAYS_INLINE uint64_t joints_of(struct scan *scan, const struct block *block)
{
    uint64_t quotes = block->quotes;
    uint64_t inside; /* strings, with their opening quotes and without their closing ones */
    uint64_t scalars;
    uint64_t joints;

    if (__builtin_expect((block->backslashes | scan->escaped) != 0, 0)) {
        quotes &= ~escaped_in(scan, block->backslashes);
    }
    inside = parities(quotes) ^ scan->in_string;
    scan->in_string = 0 - (inside >> 63);
    scalars = ~(block->operators | block->spaces | block->blanks | quotes | inside);
    joints = (block->operators & ~inside) | (quotes & inside) | (scalars & ~(scalars << 1 | scan->in_scalar));
    scan->in_scalar = scalars >> 63;
    scan->wrong |= block->controls & inside;
    scan->high |= block->high;
    return joints;
}

/* Writes whole groups, so up to JOINTS_AT_ONCE - 1 positions beyond what it returns are overwritten. */
ALWAYS_INLINE uint32_t *put_one_by_one(uint32_t *at, uint32_t base, uint64_t joints)
{
    uint32_t *end = at + __builtin_popcountll(joints);

    do {
#pragma GCC unroll 16
        for (unsigned i = 0; i < JOINTS_AT_ONCE; i++) {
            /* The highest bit only gives those beyond the end a meaning. */
            at[i] = base + (uint32_t)__builtin_ctzll(joints | UINT64_C(1) << 63);
            joints &= joints - 1;
        }
        at += JOINTS_AT_ONCE;
    } while (joints != 0);
    return end;
}

/* The last bytes, less than a block, with spaces behind them. */
ALWAYS_INLINE struct block look_at_rest(struct slice text, size_t base, struct block (*look)(const char *))
{
    unsigned size = (unsigned)(text.size - base);
    unsigned before = BLOCK_SIZE - size;
    struct block block;

    if (text.size < BLOCK_SIZE) {
        char bytes[BLOCK_SIZE] = {0};

        memcpy(bytes, text.data, text.size);
        block = look(bytes);
        before = 0;
    } else {
        block = look(text.data + text.size - BLOCK_SIZE);
    }
    return (struct block){
        .quotes = block.quotes >> before,
        .backslashes = block.backslashes >> before,
        .operators = block.operators >> before,
        .spaces = block.spaces >> before | ~UINT64_C(0) << size,
        .controls = block.controls >> before & ~(~UINT64_C(0) << size),
        .high = block.high >> before,
        .blanks = block.blanks >> before,
    };
}

ALWAYS_INLINE uint32_t *find_joints(struct scan *out, struct slice text, uint32_t *at,
                                    struct block (*look)(const char *),
                                    uint32_t *(*put)(uint32_t *, uint32_t, uint64_t))
{
    struct scan scan = {0}; /* of its own, so that it stays in registers */
    struct block block;
    size_t base = 0;

    for (; text.size - base >= BLOCK_SIZE; base += BLOCK_SIZE) {
        block = look(text.data + base);
        at = put(at, (uint32_t)base, joints_of(&scan, &block));
    }
    if (base < text.size) {
        block = look_at_rest(text, base, look);
        at = put(at, (uint32_t)base, joints_of(&scan, &block));
    }
    *out = scan;
    return at;
}

static uint32_t *find_portable(struct scan *scan, struct slice text, uint32_t *at)
{
    return find_joints(scan, text, at, look_portable, put_one_by_one);
}

#ifdef __x86_64__

static uint32_t *find_sse2(struct scan *scan, struct slice text, uint32_t *at)
{
    return find_joints(scan, text, at, look_sse2, put_one_by_one);
}

TARGET_AVX2 static uint32_t *find_avx2(struct scan *scan, struct slice text, uint32_t *at)
{
    return find_joints(scan, text, at, look_avx2, put_one_by_one);
}

static const alignas(64) unsigned char byte_numbers[BLOCK_SIZE] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
                                                                   13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
                                                                   26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38,
                                                                   39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
                                                                   52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};

/* Sixteen positions at a time; up to fifteen beyond what it returns are overwritten. */
TARGET_AVX512 static inline uint32_t *put_at_once(uint32_t *at, uint32_t base, uint64_t joints)
{
    const __m512i numbers = _mm512_load_si512(byte_numbers);
    __m512i found = _mm512_maskz_compress_epi8(joints, numbers);
    uint32_t *end = at + __builtin_popcountll(joints);

    _mm512_storeu_si512(at, _mm512_add_epi32(_mm512_cvtepu8_epi32(_mm512_castsi512_si128(found)),
                                             _mm512_set1_epi32((int)base)));
    for (at += JOINTS_AT_ONCE; __builtin_expect(at < end, 0); at += JOINTS_AT_ONCE) {
        found = _mm512_alignr_epi64(_mm512_setzero_si512(), found, 2);
        _mm512_storeu_si512(at, _mm512_add_epi32(_mm512_cvtepu8_epi32(_mm512_castsi512_si128(found)),
                                                 _mm512_set1_epi32((int)base)));
    }
    return end;
}

TARGET_AVX512 static uint32_t *find_avx512(struct scan *scan, struct slice text, uint32_t *at)
{
    return find_joints(scan, text, at, look_avx512, put_at_once);
}

#endif

static uint32_t *find_at_level(struct scan *scan, struct slice text, uint32_t *at, enum json_index_level level)
{
    switch (level) {
#ifdef __x86_64__
    case JSON_INDEX_AVX512:
        return find_avx512(scan, text, at);
    case JSON_INDEX_AVX2:
        return find_avx2(scan, text, at);
    case JSON_INDEX_SSE2:
        return find_sse2(scan, text, at);
#endif
    default:
        return find_portable(scan, text, at);
    }
}

/* ---- the whole text ---- */

const char *json_index_level_name(enum json_index_level level)
{
    switch (level) {
    case JSON_INDEX_NONE:
        return "none";
    case JSON_INDEX_PORTABLE:
        return "portable";
    case JSON_INDEX_SSE2:
        return "sse2";
    case JSON_INDEX_AVX2:
        return "avx2";
    case JSON_INDEX_AVX512:
        return "avx512";
    case JSON_INDEX_LEVEL_COUNT:
        break;
    }
    return "unknown";
}

bool json_index_supports(enum json_index_level level)
{
    switch (level) {
    case JSON_INDEX_PORTABLE:
        return true;
#ifdef __x86_64__
    case JSON_INDEX_SSE2:
        return true;
    case JSON_INDEX_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt");
    case JSON_INDEX_AVX512:
        return json_index_supports(JSON_INDEX_AVX2) && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2");
#endif
    default:
        return false;
    }
}

enum json_index_level json_index_best(void)
{
    enum json_index_level level = JSON_INDEX_LEVEL_COUNT;

    do {
        level--;
    } while (!json_index_supports(level));
    return level;
}

void json_index_init(struct json_index *index)
{
    *index = (struct json_index){0};
}

void json_index_clear(struct json_index *index)
{
    memory_free(index->positions);
    json_index_init(index);
}

static bool grow(struct json_index *index, size_t size)
{
    size_t wanted = size + BLOCK_SIZE + JOINTS_AT_ONCE + JSON_INDEX_SENTINELS;
    size_t capacity = index->capacity == 0 ? 1024 : index->capacity;
    uint32_t *positions;

    if (wanted <= index->capacity) {
        return true;
    }
    while (capacity < wanted) {
        capacity *= 2;
    }
    positions = memory_resize(index->positions, capacity, sizeof *positions);
    if (positions == NULL) {
        return false;
    }
    index->positions = positions;
    index->capacity = capacity;
    return true;
}

enum json_index_result json_index_find(struct json_index *index, struct slice text, enum json_index_level level)
{
    struct scan scan = {0};
    uint32_t *end;

    if (!grow(index, text.size)) {
        return JSON_INDEX_NO_MEMORY;
    }
    end = find_at_level(&scan, text, index->positions, level);
    index->count = (uint32_t)(end - index->positions);
    index->has_backslash = scan.backslashes != 0;
    if (index->count < 2 || (scan.wrong | scan.in_string) != 0 || text.data[index->positions[0]] != '{' ||
        text.data[end[-1]] != '}') {
        return JSON_INDEX_WRONG;
    }
    for (unsigned i = 0; i < JSON_INDEX_SENTINELS; i++) {
        end[i] = index->positions[0];
    }
    /* What ends in a bracket has no character that is cut off by its end. */
    return __builtin_expect(scan.high != 0, 0) && !json_is_utf8(text) ? JSON_INDEX_WRONG : JSON_INDEX_DONE;
}
