#include "memory_map.h"

#include "AEEStdErr.h"

typedef struct {
    uint8_t *memory; // NULL: unused
    uint32_t size;
    int descriptor; // -1 when the client has unmapped it
    bool is_visible;
    uint32_t holders;
} buffer;

enum { BUFFERS_MAX = 1024 };

static buffer buffers[BUFFERS_MAX];
static lock buffers_lock;

static buffer *find(int descriptor) {
    for (int i = 0; i < BUFFERS_MAX; i++)
        if (buffers[i].memory && buffers[i].descriptor == descriptor) return &buffers[i];
    return NULL;
}

static void drop_if_unused(buffer *b) {
    if (b->descriptor >= 0 || b->holders > 0) return;
    linux_unmap(b->memory, b->size);
    b->memory = NULL;
}

uint32_t memory_map_add(int descriptor, int file, uint64_t size, bool is_visible) {
    if (descriptor < 0 || file < 0 || size == 0) return (uint32_t)AEE_EBADPARM;
    if (size > UINT32_MAX - PAGE_BYTES) return (uint32_t)AEE_ENOMEMORY;
    lock_take(&buffers_lock);
    uint32_t status = find(descriptor) ? (uint32_t)AEE_EALREADY : (uint32_t)AEE_ENOMEMORY;
    for (int i = 0; status == (uint32_t)AEE_ENOMEMORY && i < BUFFERS_MAX; i++) {
        if (buffers[i].memory) continue;
        void *memory = linux_map(file, (size_t)size);
        if (!memory) break;
        buffers[i] = (buffer){memory, (uint32_t)size, descriptor, is_visible, 0};
        status = AEE_SUCCESS;
    }
    lock_release(&buffers_lock);
    return status;
}

uint32_t memory_map_remove(int descriptor) {
    lock_take(&buffers_lock);
    buffer *b = find(descriptor);
    if (b) {
        b->descriptor = -1;
        drop_if_unused(b);
    }
    lock_release(&buffers_lock);
    return b ? AEE_SUCCESS : (uint32_t)AEE_ENOSUCHMAP;
}

// Signatures: HAP_mem.h of the Hexagon SDK, as named in public programs.

int HAP_mmap_get(int descriptor, void **address, uint64_t *physical) {
    lock_take(&buffers_lock);
    buffer *b = find(descriptor);
    if (b && !b->is_visible) b = NULL;
    if (b) {
        b->holders++;
        if (address) *address = b->memory;
        if (physical) *physical = (uintptr_t)b->memory;
    }
    lock_release(&buffers_lock);
    return b ? AEE_SUCCESS : AEE_EFAILED;
}

// The oldest that is held: one that the client has unmapped and mapped anew may be there twice.
static buffer *held(int descriptor, const void *address) {
    for (int i = 0; i < BUFFERS_MAX; i++) {
        buffer *b = &buffers[i];
        if (!b->memory || b->holders == 0) continue;
        if (address ? address == b->memory : b->descriptor == descriptor) return b;
    }
    return NULL;
}

static int let_go(int descriptor, const void *address) {
    lock_take(&buffers_lock);
    buffer *b = held(descriptor, address);
    // The client may have unmapped it: then its number is gone, but some buffer without one is held.
    if (!b && !address) b = held(-1, NULL);
    if (b) {
        b->holders--;
        drop_if_unused(b);
    }
    lock_release(&buffers_lock);
    return b ? AEE_SUCCESS : AEE_EFAILED;
}

int HAP_mmap_put(int descriptor) { return let_go(descriptor, NULL); }

int adsp_mmap_fd_getinfo(int descriptor, uint32_t *size) {
    lock_take(&buffers_lock);
    const buffer *b = find(descriptor);
    if (b && size) *size = b->size;
    lock_release(&buffers_lock);
    return b ? AEE_SUCCESS : AEE_EFAILED;
}

void *HAP_mmap2(void *address, size_t size, int protection, int flags, int descriptor, long offset) {
    (void)address;
    (void)protection;
    (void)flags;
    lock_take(&buffers_lock);
    buffer *b = find(descriptor);
    if (b && (offset != 0 || size == 0 || size > b->size)) b = NULL;
    if (b) b->holders++;
    void *memory = b ? b->memory : (void *)-1;
    lock_release(&buffers_lock);
    return memory;
}

void *HAP_mmap(void *address, int size, int protection, int flags, int descriptor, long offset) {
    return size <= 0 ? (void *)-1 : HAP_mmap2(address, (size_t)size, protection, flags, descriptor, offset);
}

int HAP_munmap2(void *address, size_t size) {
    (void)size;
    return address ? let_go(-1, address) : AEE_EFAILED;
}

int HAP_munmap(void *address, int size) { return HAP_munmap2(address, (size_t)size); }
