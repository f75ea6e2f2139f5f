#include "loader.h"

#include "heap.h"
#include "offered.h"
#include "text.h"

#include "AEEStdErr.h"

enum { ET_DYN = 3, EM_HEXAGON = 164, PT_LOAD = 1, PT_DYNAMIC = 2, SHN_UNDEF = 0 };
enum { STB_GLOBAL = 1, STB_WEAK = 2, STT_FUNC = 2 };
enum { R_NONE = 0, R_32 = 6, R_GLOB_DAT = 33, R_JMP_SLOT = 34, R_RELATIVE = 35 };
enum {
    DT_PLTRELSZ = 2, DT_HASH = 4, DT_STRTAB = 5, DT_SYMTAB = 6, DT_RELA = 7, DT_RELASZ = 8, DT_STRSZ = 10,
    DT_SYMENT = 11, DT_INIT = 12, DT_JMPREL = 23, DT_INIT_ARRAY = 25, DT_INIT_ARRAYSZ = 27, DT_WORDS = 28,
};

typedef struct {
    uint8_t identification[16];
    uint16_t type, machine;
    uint32_t version, entry, segments_offset, sections_offset, flags;
    uint16_t size, segment_size, segment_count, section_size, section_count, section_names;
} file_header;

typedef struct {
    uint32_t type, offset, address, physical, file_size, size, flags, alignment;
} segment;

typedef struct {
    uint32_t name, value, size;
    uint8_t information, other;
    uint16_t section;
} symbol;

typedef struct {
    uint32_t offset, information;
    int32_t addend;
} relocation;

typedef struct {
    uint32_t tag, value;
} dynamic_entry;

// A loaded object: its memory, and where in it the tables lie, all checked against its size.
typedef struct {
    uint8_t *memory; // NULL: unused
    uint32_t size;
    symbol *symbols;
    uint32_t symbol_count;
    const char *strings;
    uint32_t strings_size;
} library;

enum { LIBRARIES_MAX = 64, SEGMENTS_MAX = 32, SYMBOLS_MAX = 1 << 20 };
enum { IMAGE_MAX = 256 << 20 };

uint32_t loader_architecture = 0x66;
static library libraries[LIBRARIES_MAX];
static lock libraries_lock;

// `size` bytes at an address of the object, or NULL where they are not in it or not aligned.
static void *at(const library *object, uint32_t address, uint32_t size, uint32_t alignment) {
    if (address > object->size || size > object->size - address || address & (alignment - 1)) return NULL;
    return object->memory + address;
}

// A name in the string table, which ends in 0; NULL outside of it.
static const char *name_at(const library *object, uint32_t offset) {
    return offset < object->strings_size ? object->strings + offset : NULL;
}

static uint32_t version(uint32_t flags) { return flags & 0xff; }

static uint32_t refuse(char *reason, const char *name, const char *what, const char *detail) {
    text_format(reason, LOADER_REASON_BYTES, "%s: %s%s", name, what, detail);
    return (uint32_t)AEE_EBADELF;
}

static const symbol *definition(const library *object, const char *name) {
    for (uint32_t i = 1; i < object->symbol_count; i++) {
        const symbol *s = &object->symbols[i];
        const uint32_t binding = s->information >> 4;
        if (s->section == SHN_UNDEF || (binding != STB_GLOBAL && binding != STB_WEAK)) continue;
        const char *other = name_at(object, s->name);
        if (other && text_is_equal(other, name) && s->value < object->size) return s;
    }
    return NULL;
}

// The address of a symbol that a relocation names: the object's own, the DSP's, or another object's.
static bool resolve(const library *object, uint32_t index, uint32_t *address, const char **missing) {
    if (index == 0) {
        *address = 0;
        return true;
    }
    if (index >= object->symbol_count) return false;
    const symbol *s = &object->symbols[index];
    if (s->section != SHN_UNDEF) {
        *address = (uint32_t)object->memory + s->value;
        return s->value <= object->size;
    }
    const char *name = name_at(object, s->name);
    if (!name) return false;
    *address = (uint32_t)offered_function(name);
    for (int i = 0; *address == 0 && i < LIBRARIES_MAX; i++) {
        if (!libraries[i].memory) continue;
        const symbol *other = definition(&libraries[i], name);
        if (other) *address = (uint32_t)libraries[i].memory + other->value;
    }
    if (*address != 0 || s->information >> 4 == STB_WEAK) return true;
    *missing = name;
    return false;
}

static bool relocate(const library *object, uint32_t table, uint32_t size, const char **missing) {
    const uint32_t count = size / sizeof(relocation);
    const relocation *relocations = at(object, table, size, 4);
    if (!relocations) return size == 0;
    for (uint32_t i = 0; i < count; i++) {
        const relocation *r = &relocations[i];
        const uint32_t kind = r->information & 0xff;
        if (kind == R_NONE) continue;
        uint32_t *word = at(object, r->offset, 4, 4), value;
        if (!word) return false;
        if (kind == R_RELATIVE) {
            *word = (uint32_t)object->memory + (uint32_t)r->addend;
            continue;
        }
        if (kind != R_32 && kind != R_GLOB_DAT && kind != R_JMP_SLOT) return false;
        if (!resolve(object, r->information >> 8, &value, missing)) return false;
        *word = value + (uint32_t)r->addend;
    }
    return true;
}

// Copies the segments to memory. Sets nothing where it fails.
static const char *take_segments(library *object, int file, uint64_t file_size, const file_header *header,
                                 const segment *segments, segment *dynamic) {
    uint32_t end = 0;
    for (int i = 0; i < header->segment_count; i++) {
        const segment *s = &segments[i];
        if (s->type == PT_DYNAMIC) *dynamic = *s;
        if (s->type != PT_LOAD) continue;
        if (s->file_size > s->size || s->offset > file_size || s->file_size > file_size - s->offset)
            return "a segment is cut off";
        if (s->address < end || s->size > IMAGE_MAX || s->address > IMAGE_MAX - s->size)
            return "a segment lies outside of what can be";
        end = s->address + s->size;
    }
    if (end == 0 || dynamic->type != PT_DYNAMIC) return "it has no segments of a shared object";
    uint8_t *memory = linux_allocate(end);
    if (!memory) return "there is no memory for it";
    for (int i = 0; i < header->segment_count; i++) {
        const segment *s = &segments[i];
        if (s->type != PT_LOAD || linux_read_at(file, memory + s->address, s->file_size, s->offset)) continue;
        linux_unmap(memory, end);
        return "it cannot be read";
    }
    object->memory = memory;
    object->size = end;
    return NULL;
}

static const char *find_tables(library *object, const segment *dynamic, uint32_t words[DT_WORDS]) {
    const dynamic_entry *entries = at(object, dynamic->address, dynamic->size, 4);
    if (!entries) return "its dynamic section lies outside of it";
    for (uint32_t i = 0; i < dynamic->size / sizeof *entries && entries[i].tag; i++)
        if (entries[i].tag < DT_WORDS) words[entries[i].tag] = entries[i].value;
    const uint32_t *hash = at(object, words[DT_HASH], 8, 4);
    if (words[DT_HASH] == 0 || !hash) return "it has no table DT_HASH";
    object->symbol_count = hash[1];
    if (object->symbol_count > SYMBOLS_MAX) return "it has more symbols than can be";
    object->symbols = at(object, words[DT_SYMTAB], object->symbol_count * sizeof(symbol), 4);
    object->strings = at(object, words[DT_STRTAB], words[DT_STRSZ], 1);
    object->strings_size = words[DT_STRSZ];
    if (!object->symbols || !object->strings || object->strings_size == 0
        || object->strings[object->strings_size - 1] != 0)
        return "its symbols lie outside of it";
    return NULL;
}

static void initialize(const library *object, const uint32_t words[DT_WORDS]) {
    if (words[DT_INIT] && words[DT_INIT] < object->size) ((void (*)(void))(object->memory + words[DT_INIT]))();
    const uint32_t *functions = at(object, words[DT_INIT_ARRAY], words[DT_INIT_ARRAYSZ], 4);
    for (uint32_t i = 0; functions && i < words[DT_INIT_ARRAYSZ] / 4; i++)
        if (functions[i]) ((void (*)(void))functions[i])();
}

uint32_t loader_load(int file, uint64_t size, const char *name, uint32_t *number, char *reason) {
    static const uint8_t identification[7] = {0x7f, 'E', 'L', 'F', 1, 1, 1};
    file_header header;
    segment segments[SEGMENTS_MAX], dynamic = {0};
    if (size < sizeof header || !linux_read_at(file, &header, sizeof header, 0)
        || __builtin_memcmp(header.identification, identification, sizeof identification) != 0
        || header.type != ET_DYN || header.machine != EM_HEXAGON)
        return refuse(reason, name, "it is no shared object for Hexagon", "");
    if (version(header.flags) > loader_architecture) {
        text_format(reason, LOADER_REASON_BYTES, "%s: it is made for v%x, and this processor is a v%x", name,
                    version(header.flags), loader_architecture);
        return (uint32_t)AEE_EUNABLETOLOAD;
    }
    if (header.segment_size != sizeof(segment) || header.segment_count > SEGMENTS_MAX
        || !linux_read_at(file, segments, header.segment_count * sizeof(segment), header.segments_offset))
        return refuse(reason, name, "its program headers are broken", "");
    library object = {0};
    const char *fault = take_segments(&object, file, size, &header, segments, &dynamic);
    uint32_t words[DT_WORDS] = {0};
    if (!fault) fault = find_tables(&object, &dynamic, words);
    const char *missing = NULL;
    if (!fault) {
        lock_take(&libraries_lock);
        if (!relocate(&object, words[DT_RELA], words[DT_RELASZ], &missing)
            || !relocate(&object, words[DT_JMPREL], words[DT_PLTRELSZ], &missing))
            fault = "its relocations are broken";
        int free_place = -1;
        for (int i = 0; i < LIBRARIES_MAX; i++)
            if (!libraries[i].memory) free_place = i;
        if (!fault && free_place < 0) fault = "there are too many libraries";
        if (!fault) libraries[free_place] = object;
        *number = (uint32_t)free_place;
        lock_release(&libraries_lock);
    }
    if (!fault) {
        initialize(&object, words);
        return AEE_SUCCESS;
    }
    uint32_t status = refuse(reason, name, fault, "");
    if (missing) {
        refuse(reason, name, "undefined symbol ", missing);
        status = (uint32_t)AEE_EUNABLETOLOAD;
    }
    if (object.memory) linux_unmap(object.memory, object.size);
    return status;
}

void loader_unload(uint32_t number) {
    if (number >= LIBRARIES_MAX) return;
    lock_take(&libraries_lock);
    library object = libraries[number];
    libraries[number].memory = NULL;
    lock_release(&libraries_lock);
    if (object.memory) linux_unmap(object.memory, object.size);
}

uint32_t loader_function(uint32_t number, const char *name) {
    if (number >= LIBRARIES_MAX) return 0;
    uint32_t address = 0;
    lock_take(&libraries_lock);
    const library *object = &libraries[number];
    const symbol *found = object->memory ? definition(object, name) : NULL;
    if (found && (found->information & 15) == STT_FUNC) address = (uint32_t)object->memory + found->value;
    lock_release(&libraries_lock);
    return address;
}

bool loader_is_code(uint32_t address) {
    bool is_code = false;
    lock_take(&libraries_lock);
    for (int i = 0; i < LIBRARIES_MAX && !is_code; i++)
        is_code = libraries[i].memory && address - (uint32_t)libraries[i].memory < libraries[i].size;
    lock_release(&libraries_lock);
    return is_code;
}
