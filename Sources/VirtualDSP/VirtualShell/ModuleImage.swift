import RemoteCalls

/// What the loader must know of a shared object before it hands it to whoever executes it: that it is one for
/// that machine, complete, and which libraries it needs.
struct ModuleImage {
    /// Whose shared objects: the sizes and places of an ELF file's fields.
    struct Format: Sendable {
        /// Bytes of an address.
        fileprivate var word: Int
        fileprivate var machine: Int
        fileprivate var advice: String

        /// This machine's.
        static let host = Format(
            word: 8, machine: hostMachine,
            advice: "the virtual DSP runs libraries of the host's architecture, not Hexagon's")
        /// Hexagon's.
        static let hexagon = Format(
            word: 4, machine: 164, advice: "this DSP runs Hexagon code; Sources/HTP/build makes it")

        #if arch(x86_64)
            private static let hostMachine = 62
        #elseif arch(arm64)
            private static let hostMachine = 183
        #else
            private static let hostMachine = -1
        #endif

        /// `e_phoff`, after which `e_phentsize` and `e_phnum` come.
        fileprivate var table: Int { word == 8 ? 32 : 28 }
        fileprivate var entrySize: Int { word == 8 ? 54 : 42 }
        /// `p_offset`, `p_vaddr` and `p_filesz` in an entry of so many bytes.
        fileprivate var segment: (offset: Int, address: Int, byteCount: Int, size: Int) {
            word == 8 ? (8, 16, 32, 56) : (4, 8, 16, 32)
        }
    }

    /// `DT_NEEDED`
    let needed: [String]

    /// - Throws: `AEE_EUNABLETOLOAD` for what is no shared object of this machine, `AEE_EBADELF` for one that
    ///   is cut off or broken.
    init(_ bytes: [UInt8], _ format: Format = .host, name: String) throws(RemoteCallError) {
        let file = Fields(bytes: bytes, name: name)
        let header = Array(bytes.prefix(6))
        guard header.count == 6, header == [0x7f, 0x45, 0x4c, 0x46, UInt8(format.word / 4), 1] else {
            throw RemoteCallError(
                .unableToLoad, operation: "\(name) is no ELF file of \(format.word * 8) bits",
                advice: format.advice)
        }
        guard try file.number(16, 2) == 3, try file.number(18, 2) == format.machine else {
            throw RemoteCallError(
                .unableToLoad, operation: "\(name) is no shared object for this machine",
                advice: format.advice)
        }
        let table = try file.number(format.table, format.word)
        let size = try file.number(format.entrySize, 2)
        let count = try file.number(format.entrySize + 2, 2)
        let fields = format.segment
        guard size >= fields.size else { throw file.broken }
        var segments: [Segment] = []
        var dynamic: Range<Int>?
        for index in 0..<count {
            let (offset, overflow) = table.addingReportingOverflow(index * size)
            guard !overflow else { throw file.broken }
            let kind = try file.number(offset, 4)
            guard kind == 1 || kind == 2 else { continue }
            let segment = Segment(
                offset: try file.number(offset, plus: fields.offset, format.word),
                address: try file.number(offset, plus: fields.address, format.word),
                byteCount: try file.number(offset, plus: fields.byteCount, format.word))
            guard segment.offset <= bytes.count, segment.byteCount <= bytes.count - segment.offset else {
                throw RemoteCallError(.badELF, operation: "\(name) is cut off at \(bytes.count) bytes")
            }
            if kind == 1 { segments.append(segment) }
            if kind == 2 { dynamic = segment.offset..<segment.offset + segment.byteCount }
        }
        needed = try Self.needed(file, format.word, segments, dynamic)
    }

    private struct Segment {
        var offset: Int
        var address: Int
        var byteCount: Int
    }

    private static func needed(
        _ file: Fields, _ word: Int, _ segments: [Segment], _ dynamic: Range<Int>?
    ) throws(RemoteCallError) -> [String] {
        guard let dynamic else { throw file.broken }
        var names: [Int] = []
        var strings: Int?
        for entry in stride(
            from: dynamic.lowerBound, to: dynamic.upperBound - 2 * word + 1, by: 2 * word)
        {
            let value = try file.number(entry, plus: word, word)
            switch try file.number(entry, word) {
            case 1: names.append(value)  // DT_NEEDED
            case 5: strings = value  // DT_STRTAB
            default: break
            }
        }
        if names.isEmpty { return [] }
        guard let strings,
            let segment = segments.first(where: {
                $0.address <= strings && strings - $0.address < $0.byteCount
            })
        else { throw file.broken }
        var needed: [String] = []
        for name in names {
            let (offset, overflow) = (strings - segment.address + segment.offset)
                .addingReportingOverflow(name)
            guard !overflow, offset < file.bytes.count else { throw file.broken }
            needed.append(
                String(decoding: file.bytes[offset...].prefix(256).prefix { $0 != 0 }, as: UTF8.self))
        }
        return needed
    }

    /// Little-endian numbers of a file, every access checked.
    private struct Fields {
        var bytes: [UInt8]
        var name: String

        var broken: RemoteCallError { RemoteCallError(.badELF, operation: "\(name) is a broken ELF file") }

        func number(_ offset: Int, plus: Int = 0, _ size: Int) throws(RemoteCallError) -> Int {
            let (start, overflow) = offset.addingReportingOverflow(plus)
            guard !overflow, start >= 0, start <= bytes.count, size <= bytes.count - start else {
                throw RemoteCallError(.badELF, operation: "\(name) is cut off at \(bytes.count) bytes")
            }
            let value = bytes[start..<start + size].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            // Tags of dynamic entries and their values may use all bits; none of those is of interest.
            return Int(clamping: value)
        }
    }
}
