import RemoteCalls

/// What the loader must know of a shared object before it hands it to the C library: that it is one for
/// this machine, complete, and which libraries it needs.
struct ModuleImage {
    /// `DT_NEEDED`
    let needed: [String]

    #if arch(x86_64)
        private static let machine = 62
    #elseif arch(arm64)
        private static let machine = 183
    #else
        private static let machine = -1
    #endif

    /// - Throws: `AEE_EUNABLETOLOAD` for what is no shared object of this machine, `AEE_EBADELF` for one that
    ///   is cut off or broken.
    init(_ bytes: [UInt8], name: String) throws(RemoteCallError) {
        let file = Fields(bytes: bytes, name: name)
        let header = Array(bytes.prefix(6))
        guard header.count == 6, header == [0x7f, 0x45, 0x4c, 0x46, 2, 1] else {
            throw RemoteCallError(
                .unableToLoad, operation: "\(name) is no ELF file of 64 bits",
                advice: "the virtual DSP runs libraries of the host's architecture, not Hexagon's")
        }
        guard try file.number(16, 2) == 3, try file.number(18, 2) == Self.machine else {
            throw RemoteCallError(
                .unableToLoad, operation: "\(name) is no shared object for this machine",
                advice: "the virtual DSP runs libraries of the host's architecture, not Hexagon's")
        }
        let table = try file.number(32, 8)
        let size = try file.number(54, 2)
        let count = try file.number(56, 2)
        guard size >= 56 else { throw file.broken }
        var segments: [Segment] = []
        var dynamic: Range<Int>?
        for index in 0..<count {
            let (offset, overflow) = table.addingReportingOverflow(index * size)
            guard !overflow else { throw file.broken }
            let kind = try file.number(offset, 4)
            guard kind == 1 || kind == 2 else { continue }
            let segment = Segment(
                offset: try file.number(offset, plus: 8, 8), address: try file.number(offset, plus: 16, 8),
                byteCount: try file.number(offset, plus: 32, 8))
            guard segment.offset <= bytes.count, segment.byteCount <= bytes.count - segment.offset else {
                throw RemoteCallError(.badELF, operation: "\(name) is cut off at \(bytes.count) bytes")
            }
            if kind == 1 { segments.append(segment) }
            if kind == 2 { dynamic = segment.offset..<segment.offset + segment.byteCount }
        }
        needed = try Self.needed(file, segments, dynamic)
    }

    private struct Segment {
        var offset: Int
        var address: Int
        var byteCount: Int
    }

    private static func needed(
        _ file: Fields, _ segments: [Segment], _ dynamic: Range<Int>?
    ) throws(RemoteCallError) -> [String] {
        guard let dynamic else { throw file.broken }
        var names: [Int] = []
        var strings: Int?
        for entry in stride(from: dynamic.lowerBound, to: dynamic.upperBound - 15, by: 16) {
            let value = try file.number(entry, plus: 8, 8)
            switch try file.number(entry, 8) {
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
