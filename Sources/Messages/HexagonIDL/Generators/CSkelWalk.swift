/// Statements of a skel for values with data of their own. `c` is a cursor over the call's buffers.
enum CSkelWalk {
    // MARK: Values that come in

    /// Takes the value from its record at `record` and from the next in buffers.
    static func take(_ slot: CSlot, _ record: String, _ walkers: inout CWalkers) throws(IDLError) -> String {
        switch slot.type.resolved {
        case .string: return "\(slot.value) = take_text(_c, \(record), 1, &\(slot.length));"
        case .wideString: return "\(slot.value) = take_text(_c, \(record), 2, &\(slot.length));"
        case .dmaHandle: return "take_handle(_c, &\(slot.value), &\(slot.offset), &\(slot.length));"
        case .structure(let type) where type.isComplex:
            return "\(try walkers.require("take", slot.type, takeOne))(_c, \(record), \(slot.address));"
        case .sequence(let element):
            guard element.isComplex else {
                return
                    "\(slot.value) = take_elements(_c, \(record), sizeof(\(slot.element)), &\(slot.length));"
            }
            return
                "\(slot.value) = \(try walkers.require("take_all", element, takeAll))(_c, \(record), &\(slot.length));"
        default: return "__builtin_memcpy(\(slot.address), \(record), \(slot.size));"
        }
    }

    private static func takeOne(
        _ walkers: inout CWalkers, _ type: IDLType, _ name: String
    ) throws(IDLError) -> String {
        var out = SourceWriter()
        let slots = CSlot.inside(type)
        var lines: [String] = []
        for slot in slots { lines.append(try take(slot, "_record + \(slot.full)", &walkers)) }
        out.line("static void \(name)(cursor *_c, const uint8_t *_record, \(CNames.type(type)) *_value) {")
        if type.extent(.full).size == 0 { out.line("    (void)_record;") }
        for line in lines { out.line("    " + line) }
        out.line("}")
        return out.text
    }

    private static func takeAll(
        _ walkers: inout CWalkers, _ type: IDLType, _ name: String
    ) throws(IDLError) -> String {
        let one = try walkers.require("take", type, takeOne)
        let cType = CNames.type(type)
        let size = type.extent(.full).size
        var out = SourceWriter()
        try out.block("static \(cType) *\(name)(cursor *_c, const uint8_t *_record, int *_length) {") {
            (out) throws(IDLError) in
            out.line("uint32_t _count = read_count(_record);")
            if size > 0 {
                out.line("const uint8_t *_records = next_in(_c, _count, \(size));")
            } else {
                out.line("const uint8_t *_records = _record;")
                out.line("if (_count > 15) _c->status = AEE_EBADPARM;")
            }
            out.line("\(cType) *_values = allocate(_c, _count, sizeof(\(cType)));")
            out.line("if (!_values) _count = 0;")
            out.line("*_length = (int)_count;")
            out.line(
                "for (uint32_t _i = 0; _i < _count; _i++) \(one)(_c, _records + (size_t)_i * \(size), &_values[_i]);"
            )
            out.line("return _values;")
        }
        return out.text
    }

    // MARK: Values that go out

    /// Gives the implementation room: the next out buffers, whose capacities are at `counts`.
    static func lend(_ slot: CSlot, _ counts: String, _ walkers: inout CWalkers) throws(IDLError) -> String? {
        switch slot.type.resolved {
        case .string, .wideString:
            return "\(slot.value) = lend_elements(_c, \(counts), sizeof(\(slot.element)), &\(slot.length));"
        case .dmaHandle: return "lend_handle(_c, &\(slot.value), &\(slot.offset), &\(slot.length));"
        case .structure(let type) where type.isComplex:
            return "\(try walkers.require("lend", slot.type, lendOne))(_c, \(counts), \(slot.address));"
        case .sequence(let element):
            guard element.isComplex else {
                return
                    "\(slot.value) = lend_elements(_c, \(counts), sizeof(\(slot.element)), &\(slot.length));"
            }
            return
                "\(slot.value) = \(try walkers.require("lend_all", element, lendAll))(_c, \(counts), &\(slot.length));"
        // Filled with zeros when the memory was made.
        default: return nil
        }
    }

    private static func lendOne(
        _ walkers: inout CWalkers, _ type: IDLType, _ name: String
    ) throws(IDLError) -> String {
        var lines: [String] = []
        for slot in CSlot.inside(type) {
            if let line = try lend(slot, "_counts + \(slot.counts)", &walkers) { lines.append(line) }
        }
        var out = SourceWriter()
        out.line("static void \(name)(cursor *_c, const uint8_t *_counts, \(CNames.type(type)) *_value) {")
        if type.extent(.counts).size == 0 { out.line("    (void)_counts;") }
        for line in lines { out.line("    " + line) }
        out.line("}")
        return out.text
    }

    private static func lendAll(
        _ walkers: inout CWalkers, _ type: IDLType, _ name: String
    ) throws(IDLError) -> String {
        let one = try walkers.require("lend", type, lendOne)
        let cType = CNames.type(type)
        let counts = type.extent(.counts).size
        let scalars = type.extent(.scalars).size
        var out = SourceWriter()
        try out.block("static \(cType) *\(name)(cursor *_c, const uint8_t *_counts, int *_length) {") {
            (out) throws(IDLError) in
            out.line("uint32_t _count = read_count(_counts);")
            if counts > 0 {
                out.line("const uint8_t *_records = next_in(_c, _count, \(counts));")
            } else {
                out.line("const uint8_t *_records = _counts;")
            }
            if scalars > 0 { out.line("next_out(_c, _count, \(scalars));") }
            if counts + scalars == 0 { out.line("if (_count > 15) _c->status = AEE_EBADPARM;") }
            out.line("\(cType) *_values = allocate(_c, _count, sizeof(\(cType)));")
            out.line("if (!_values) _count = 0;")
            out.line("*_length = (int)_count;")
            out.line(
                "for (uint32_t _i = 0; _i < _count; _i++) \(one)(_c, _records + (size_t)_i * \(counts), &_values[_i]);"
            )
            out.line("return _values;")
        }
        return out.text
    }

    /// Copies what the implementation left into the reply. Walks the same buffers as `lend` once more, because
    /// the implementation may have changed the lengths it was given.
    static func give(
        _ slot: CSlot, _ counts: String, _ scalars: String, _ walkers: inout CWalkers
    ) throws(IDLError) -> String? {
        switch slot.type.resolved {
        case .string, .wideString: return "close_text(_c, \(counts), sizeof(\(slot.element)));"
        case .dmaHandle: return nil
        case .structure(let type) where type.isComplex:
            return
                "\(try walkers.require("give", slot.type, giveOne))(_c, \(counts), \(slot.address), \(scalars));"
        case .sequence(let element):
            guard element.isComplex else { return "_c->out++;" }
            return "\(try walkers.require("give_all", element, giveAll))(_c, \(counts), \(slot.value));"
        default: return "__builtin_memcpy(\(scalars), \(slot.address), \(slot.size));"
        }
    }

    private static func giveOne(
        _ walkers: inout CWalkers, _ type: IDLType, _ name: String
    ) throws(IDLError) -> String {
        var lines: [String] = []
        for slot in CSlot.inside(type) {
            if let line = try give(slot, "_counts + \(slot.counts)", "_scalars + \(slot.scalars)", &walkers) {
                lines.append(line)
            }
        }
        var out = SourceWriter()
        let cType = CNames.type(type)
        out.line(
            "static void \(name)(cursor *_c, const uint8_t *_counts, const \(cType) *_value, uint8_t *_scalars) {"
        )
        out.line("    (void)_c, (void)_counts, (void)_value, (void)_scalars;")
        for line in lines { out.line("    " + line) }
        out.line("}")
        return out.text
    }

    private static func giveAll(
        _ walkers: inout CWalkers, _ type: IDLType, _ name: String
    ) throws(IDLError) -> String {
        let one = try walkers.require("give", type, giveOne)
        let counts = type.extent(.counts).size
        let scalars = type.extent(.scalars).size
        var out = SourceWriter()
        try out.block(
            "static void \(name)(cursor *_c, const uint8_t *_counts, const \(CNames.type(type)) *_values) {"
        ) { (out) throws(IDLError) in
            out.line("uint32_t _count = read_count(_counts);")
            out.line(
                counts > 0
                    ? "const uint8_t *_inner = next_in(_c, _count, \(counts));"
                    : "const uint8_t *_inner = _counts;")
            out.line(
                scalars > 0
                    ? "uint8_t *_records = next_out(_c, _count, \(scalars));" : "uint8_t *_records = 0;")
            out.line("for (uint32_t _i = 0; _i < _count; _i++) {")
            let step = scalars > 0 ? "_records + (size_t)_i * \(scalars)" : "_records"
            out.line("    \(one)(_c, _inner + (size_t)_i * \(counts), &_values[_i], \(step));")
            out.line("}")
        }
        return out.text
    }

    // MARK: The cursor

    /// The functions under the generated ones. All of them go on after an error, with nothing to do.
    static let runtime = """
        void *calloc(size_t count, size_t size);
        void free(void *memory);

        /// Memory that lives as long as the call.
        typedef struct block {
            struct block *next;
            uint64_t bytes[];
        } block;

        /// The next buffer and handle of each kind, and the first error met.
        typedef struct {
            remote_arg *in, *in_end, *out, *out_end, *taken, *taken_end, *lent, *lent_end;
            block *memory;
            int status;
        } cursor;

        static cursor begin(uint32_t sc, remote_arg *pra, unsigned prim_in, unsigned prim_out) {
            cursor c = {.in = pra + prim_in, .in_end = pra + REMOTE_SCALARS_INBUFS(sc)};
            c.out = c.in_end + prim_out;
            c.out_end = c.in_end + REMOTE_SCALARS_OUTBUFS(sc);
            c.taken = c.out_end;
            c.taken_end = c.taken + REMOTE_SCALARS_INHANDLES(sc);
            c.lent = c.taken_end;
            c.lent_end = c.lent + REMOTE_SCALARS_OUTHANDLES(sc);
            return c;
        }

        __attribute__((unused)) static void *allocate(cursor *c, uint32_t count, size_t size) {
            if (c->status || count == 0) return 0;
            if (count > INT32_MAX || count > (SIZE_MAX - sizeof(block)) / size) {
                c->status = AEE_EBADPARM;
                return 0;
            }
            block *memory = calloc(1, sizeof(block) + count * size);
            if (!memory) {
                c->status = AEE_ENOMEMORY;
                return 0;
            }
            memory->next = c->memory;
            c->memory = memory;
            return memory->bytes;
        }

        static void release(cursor *c) {
            while (c->memory) {
                block *next = c->memory->next;
                free(c->memory);
                c->memory = next;
            }
        }

        static uint32_t read_count(const uint8_t *record) {
            uint32_t count;
            __builtin_memcpy(&count, record, 4);
            return count;
        }

        static void *next_in(cursor *c, uint32_t count, size_t size) {
            if (c->status) return 0;
            if (c->in == c->in_end || !holds(c->in, count, size)) {
                c->status = AEE_EBADPARM;
                return 0;
            }
            return (c->in++)->buf.pv;
        }

        __attribute__((unused)) static void *next_out(cursor *c, uint32_t count, size_t size) {
            if (c->status) return 0;
            if (c->out == c->out_end || !holds(c->out, count, size)) {
                c->status = AEE_EBADPARM;
                return 0;
            }
            return (c->out++)->buf.pv;
        }

        __attribute__((unused)) static void *take_elements(cursor *c, const uint8_t *record, size_t size, int *length) {
            uint32_t count = read_count(record);
            void *elements = next_in(c, count, size);
            *length = c->status ? 0 : (int)count;
            return elements;
        }

        __attribute__((unused)) static void *take_text(cursor *c, const uint8_t *record, size_t size, int *length) {
            void *text = take_elements(c, record, size, length);
            if (!c->status && !is_string(c->in - 1, (uint32_t)*length, size)) c->status = AEE_EBADPARM;
            return text;
        }

        __attribute__((unused)) static void *lend_elements(cursor *c, const uint8_t *counts, size_t size, int *length) {
            uint32_t count = read_count(counts);
            void *elements = next_out(c, count, size);
            *length = c->status ? 0 : (int)count;
            return elements;
        }

        __attribute__((unused)) static void close_text(cursor *c, const uint8_t *counts, size_t size) {
            uint32_t count = read_count(counts);
            uint8_t *text = next_out(c, count, size);
            if (text && count > 0) __builtin_memset(text + (count - 1) * size, 0, size);
        }
        """

    /// Goes with `CHelper.mapping`.
    static let handleRuntime = """
        __attribute__((unused)) static void take_handle(cursor *c, int *fd, uint32_t *offset, uint32_t *length) {
            if (c->status) return;
            if (c->taken == c->taken_end) {
                c->status = AEE_EBADPARM;
                return;
            }
            *fd = c->taken->dma.fd;
            *offset = c->taken->dma.offset;
            c->taken++;
            if (adsp_mmap_fd_getinfo(*fd, length) != 0) c->status = AEE_EBADPARM;
        }

        __attribute__((unused)) static void lend_handle(cursor *c, int *fd, uint32_t *offset, uint32_t *length) {
            if (c->status) return;
            if (c->lent == c->lent_end) {
                c->status = AEE_EBADPARM;
                return;
            }
            *fd = c->lent->dma.fd;
            *offset = c->lent->dma.offset;
            c->lent++;
            if (adsp_mmap_fd_getinfo(*fd, length) != 0) c->status = AEE_EBADPARM;
        }
        """
}
