/// Statements of a C stub for values with data of their own. `_c` collects the call's buffers.
enum CStubWalk {
    /// Writes the value's record at `record` and adds its buffers.
    static func send(_ slot: CSlot, _ record: String, _ walkers: inout CWalkers) throws(IDLError) -> String {
        switch slot.type.resolved {
        case .string, .wideString: return "send_text(_c, \(slot.value), sizeof(\(slot.element)), \(record));"
        case .dmaHandle: return "send_handle(_c, \(slot.value), \(slot.offset), \(slot.length));"
        case .structure(let type) where type.isComplex:
            return "\(try walkers.require("send", slot.type, sendOne))(_c, \(slot.address), \(record));"
        case .sequence(let element):
            guard element.isComplex else {
                return "send_elements(_c, \(slot.value), \(slot.length), sizeof(\(slot.element)), \(record));"
            }
            let function = try walkers.require("send_all", element, sendAll)
            return "\(function)(_c, \(slot.value), \(slot.length), \(record));"
        default: return "__builtin_memcpy(\(record), \(slot.address), \(slot.size));"
        }
    }

    private static func sendOne(
        _ walkers: inout CWalkers, _ type: IDLType, _ name: String
    ) throws(IDLError) -> String {
        var lines: [String] = []
        for slot in CSlot.inside(type) { lines.append(try send(slot, "_record + \(slot.full)", &walkers)) }
        return function(
            "\(name)(call *_c, const \(CNames.type(type)) *_value, uint8_t *_record)", "(void)_record;", lines
        )
    }

    private static func sendAll(
        _ walkers: inout CWalkers, _ type: IDLType, _ name: String
    ) throws(IDLError) -> String {
        let one = try walkers.require("send", type, sendOne)
        let size = type.extent(.full).size
        var lines = ["put_count(_c, _length, _record);"]
        lines.append(
            size > 0 ? "uint8_t *_records = add_in(_c, 0, _length, \(size));" : "uint8_t *_records = _record;"
        )
        lines.append(
            "for (int _i = 0; !_c->status && _i < _length; _i++) \(one)(_c, &_values[_i], _records + (size_t)_i * \(size));"
        )
        return function(
            "\(name)(call *_c, const \(CNames.type(type)) *_values, int _length, uint8_t *_record)", nil,
            lines)
    }

    /// Writes the capacities at `counts` and adds the buffers that come back.
    static func ask(_ slot: CSlot, _ counts: String, _ walkers: inout CWalkers) throws(IDLError) -> String? {
        switch slot.type.resolved {
        case .string, .wideString:
            return "ask_elements(_c, \(slot.value), \(slot.length), sizeof(\(slot.element)), \(counts));"
        case .dmaHandle: return "ask_handle(_c, \(slot.value), \(slot.offset), \(slot.length));"
        case .structure(let type) where type.isComplex:
            return "\(try walkers.require("ask", slot.type, askOne))(_c, \(slot.address), \(counts));"
        case .sequence(let element):
            guard element.isComplex else {
                return "ask_elements(_c, \(slot.value), \(slot.length), sizeof(\(slot.element)), \(counts));"
            }
            let function = try walkers.require("ask_all", element, askAll)
            return "\(function)(_c, \(slot.value), \(slot.length), \(counts));"
        default: return nil
        }
    }

    private static func askOne(
        _ walkers: inout CWalkers, _ type: IDLType, _ name: String
    ) throws(IDLError) -> String {
        var lines: [String] = []
        for slot in CSlot.inside(type) {
            if let line = try ask(slot, "_counts + \(slot.counts)", &walkers) { lines.append(line) }
        }
        return function(
            "\(name)(call *_c, const \(CNames.type(type)) *_value, uint8_t *_counts)", "(void)_counts;", lines
        )
    }

    private static func askAll(
        _ walkers: inout CWalkers, _ type: IDLType, _ name: String
    ) throws(IDLError) -> String {
        let one = try walkers.require("ask", type, askOne)
        let counts = type.extent(.counts).size
        let scalars = type.extent(.scalars).size
        var lines = ["put_count(_c, _length, _counts);"]
        lines.append(
            counts > 0
                ? "uint8_t *_records = add_in(_c, 0, _length, \(counts));" : "uint8_t *_records = _counts;"
        )
        if scalars > 0 { lines.append("add_out(_c, 0, _length, \(scalars));") }
        lines.append(
            "for (int _i = 0; !_c->status && _i < _length; _i++) \(one)(_c, &_values[_i], _records + (size_t)_i * \(counts));"
        )
        return function(
            "\(name)(call *_c, const \(CNames.type(type)) *_values, int _length, uint8_t *_counts)", nil,
            lines)
    }

    /// Copies what came back, walking the out buffers in the order in which they were added.
    static func fetch(_ slot: CSlot, _ scalars: String, _ walkers: inout CWalkers) throws(IDLError) -> String?
    {
        switch slot.type.resolved {
        case .string, .wideString:
            return "if (next_out(_c) && \(slot.length) > 0) \(slot.value)[\(slot.length) - 1] = 0;"
        case .dmaHandle: return nil
        case .structure(let type) where type.isComplex:
            return "\(try walkers.require("fetch", slot.type, fetchOne))(_c, \(slot.address), \(scalars));"
        case .sequence(let element):
            guard element.isComplex else { return "next_out(_c);" }
            return
                "\(try walkers.require("fetch_all", element, fetchAll))(_c, \(slot.value), \(slot.length));"
        default: return "__builtin_memcpy(\(slot.address), \(scalars), \(slot.size));"
        }
    }

    private static func fetchOne(
        _ walkers: inout CWalkers, _ type: IDLType, _ name: String
    ) throws(IDLError) -> String {
        var lines: [String] = []
        for slot in CSlot.inside(type) {
            if let line = try fetch(slot, "_scalars + \(slot.scalars)", &walkers) { lines.append(line) }
        }
        return function(
            "\(name)(call *_c, \(CNames.type(type)) *_value, const uint8_t *_scalars)",
            "(void)_c, (void)_value, (void)_scalars;", lines)
    }

    private static func fetchAll(
        _ walkers: inout CWalkers, _ type: IDLType, _ name: String
    ) throws(IDLError) -> String {
        let one = try walkers.require("fetch", type, fetchOne)
        let scalars = type.extent(.scalars).size
        var lines = [
            scalars > 0 ? "const uint8_t *_records = next_out(_c)->buf.pv;" : "const uint8_t *_records = 0;"
        ]
        let step = scalars > 0 ? "_records + (size_t)_i * \(scalars)" : "_records"
        lines.append("for (int _i = 0; _i < _length; _i++) \(one)(_c, &_values[_i], \(step));")
        return function("\(name)(call *_c, \(CNames.type(type)) *_values, int _length)", nil, lines)
    }

    private static func function(_ signature: String, _ first: String?, _ lines: [String]) -> String {
        var out = SourceWriter()
        out.line("static void \(signature) {")
        for line in (first.map { [$0] } ?? []) + lines { out.line("    " + line) }
        out.line("}")
        return out.text
    }

    // MARK: The call

    /// The functions under the generated ones. All of them go on after an error, with nothing to do.
    static let runtime = """
        void *calloc(size_t count, size_t size);
        void free(void *memory);

        #define MAX_BUFFERS 255
        #define MAX_HANDLES 15
        #define MAX_ARGUMENTS (2 * (MAX_BUFFERS + MAX_HANDLES))

        /// Memory that lives as long as the call.
        typedef struct block {
            struct block *next;
            uint64_t bytes[];
        } block;

        /// A call's arguments while they are collected, and the first error met.
        typedef struct {
            remote_arg in[MAX_BUFFERS], out[MAX_BUFFERS], sent[MAX_HANDLES], asked[MAX_HANDLES];
            unsigned ins, outs, sents, askeds;
            /// The next out buffer to read after the call.
            unsigned at;
            block *memory;
            int status;
        } call;

        /// Adds a buffer of `count` elements; without memory of its own it gets some, filled with zeros.
        static uint8_t *add_buffer(call *c, remote_arg *list, unsigned *used, void *memory, int count, size_t size) {
            if (c->status) return 0;
            if (count < 0) c->status = AEE_EBADPARM;
            if (*used == MAX_BUFFERS) c->status = AEE_EUNSUPPORTED;
            if (c->status) return 0;
            if (!memory && count > 0) {
                block *own = calloc(1, sizeof(block) + (size_t)count * size);
                if (!own) {
                    c->status = AEE_ENOMEMORY;
                    return 0;
                }
                own->next = c->memory;
                c->memory = own;
                memory = own->bytes;
            }
            list[(*used)++] = (remote_arg){.buf = {memory, (size_t)count * size}};
            return memory;
        }

        __attribute__((unused)) static uint8_t *add_in(call *c, void *memory, int count, size_t size) {
            return add_buffer(c, c->in, &c->ins, memory, count, size);
        }

        __attribute__((unused)) static uint8_t *add_out(call *c, void *memory, int count, size_t size) {
            return add_buffer(c, c->out, &c->outs, memory, count, size);
        }

        __attribute__((unused)) static void put_count(call *c, int count, uint8_t *record) {
            if (count < 0) c->status = AEE_EBADPARM;
            if (!c->status) __builtin_memcpy(record, &count, 4);
        }

        __attribute__((unused)) static void send_elements(
            call *c, const void *elements, int count, size_t size, uint8_t *record
        ) {
            put_count(c, count, record);
            add_in(c, (void *)elements, count, size);
        }

        __attribute__((unused)) static void send_text(call *c, const void *text, size_t size, uint8_t *record) {
            send_elements(c, text, (int)text_length(text, size), size, record);
        }

        __attribute__((unused)) static void ask_elements(
            call *c, void *elements, int count, size_t size, uint8_t *counts
        ) {
            put_count(c, count, counts);
            add_out(c, elements, count, size);
        }

        static void add_handle(call *c, remote_arg *list, unsigned *used, int fd, uint32_t offset, uint32_t length) {
            if (c->status) return;
            if (*used == MAX_HANDLES || remote_register_dma_handle(fd, length) != AEE_SUCCESS) {
                c->status = AEE_EBADPARM;
                return;
            }
            list[(*used)++] = (remote_arg){.dma = {fd, offset}};
        }

        __attribute__((unused)) static void send_handle(call *c, int fd, uint32_t offset, uint32_t length) {
            add_handle(c, c->sent, &c->sents, fd, offset, length);
        }

        __attribute__((unused)) static void ask_handle(call *c, int fd, uint32_t offset, uint32_t length) {
            add_handle(c, c->asked, &c->askeds, fd, offset, length);
        }

        __attribute__((unused)) static const remote_arg *next_out(call *c) {
            return &c->out[c->at++];
        }

        /// Lays the arguments out in the order of the wire and returns the scalars word.
        static uint32_t arguments(call *c, unsigned method, remote_arg *pra) {
            for (unsigned i = 0; i < c->ins; i++) *pra++ = c->in[i];
            for (unsigned i = 0; i < c->outs; i++) *pra++ = c->out[i];
            for (unsigned i = 0; i < c->sents; i++) *pra++ = c->sent[i];
            for (unsigned i = 0; i < c->askeds; i++) *pra++ = c->asked[i];
            return REMOTE_SCALARS_MAKEX(0, method, c->ins, c->outs, c->sents, c->askeds);
        }

        static void release(call *c) {
            while (c->memory) {
                block *next = c->memory->next;
                free(c->memory);
                c->memory = next;
            }
        }
        """
}
