// Blocks are powers of two. Those up to an eighth of a page are cut from pages of one size each, so that a block is
// aligned to its size; larger ones have pages of their own. Either way the page that a block begins in begins
// with a header.
#include "heap.h"

#include "linux.h"

enum { SMALLEST = 5, LARGEST_SHARED = 13 }; // powers of two

typedef struct {
    size_t size;     // of each block, or of the only one
    size_t mapped;   // 0 where blocks share the page
} header;

typedef struct block {
    struct block *next;
} block;

static lock heap_lock;
static block *unused[LARGEST_SHARED + 1];

static header *header_of(void *memory) { return (header *)((uintptr_t)memory & ~(uintptr_t)(PAGE_BYTES - 1)); }

static void *take_shared(int power) {
    lock_take(&heap_lock);
    if (!unused[power]) {
        header *page = linux_allocate(PAGE_BYTES);
        if (page) {
            const size_t size = (size_t)1 << power;
            page->size = size;
            for (size_t at = PAGE_BYTES - size; at >= sizeof *page && at < PAGE_BYTES; at -= size) {
                block *next = (block *)((uintptr_t)page + at);
                next->next = unused[power];
                unused[power] = next;
            }
        }
    }
    block *found = unused[power];
    if (found) unused[power] = found->next;
    lock_release(&heap_lock);
    return found;
}

void *memalign(size_t alignment, size_t size) {
    if (alignment < sizeof(header)) alignment = sizeof(header);
    if (alignment & (alignment - 1) || alignment > PAGE_BYTES / 2) return NULL;
    const size_t wanted = size > alignment ? size : alignment;
    int power = SMALLEST;
    while (power <= LARGEST_SHARED && (size_t)1 << power < wanted) power++;
    if (power <= LARGEST_SHARED) return take_shared(power);
    if (size > SIZE_MAX - 2 * PAGE_BYTES) return NULL;
    const size_t mapped = (alignment + size + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
    header *page = linux_allocate(mapped);
    if (!page) return NULL;
    page->size = size;
    page->mapped = mapped;
    return (uint8_t *)page + alignment;
}

void free(void *memory) {
    if (!memory) return;
    header *page = header_of(memory);
    if (page->mapped) {
        linux_unmap(page, page->mapped);
        return;
    }
    const int power = 31 - __builtin_clz(page->size);
    lock_take(&heap_lock);
    ((block *)memory)->next = unused[power];
    unused[power] = memory;
    lock_release(&heap_lock);
}

void *malloc(size_t size) { return memalign(16, size); }

void *calloc(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return NULL;
    void *memory = malloc(total);
    if (memory) __builtin_memset(memory, 0, total);
    return memory;
}

void *realloc(void *memory, size_t size) {
    void *other = malloc(size);
    if (!memory || !other) return other;
    const size_t old = header_of(memory)->size;
    __builtin_memcpy(other, memory, old < size ? old : size);
    free(memory);
    return other;
}
