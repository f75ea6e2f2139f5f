/// What can be read off a module for Hexagon, a 32-bit ELF file: the version it needs, and which libraries.
package struct HexagonImage {
    /// The architecture's version in hexadecimal digits, `0x68` for v68.
    package let architecture: Int
    /// `DT_NEEDED`
    package let needed: [String]

    /// Nil for anything else than a well-formed file of this kind.
    package init?(bytes: [UInt8]) {
        let file = Reader(bytes: bytes)
        guard bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46, 1, 1]), file.number(18, 2) == 164,
            let flags = file.number(36, 4), let table = file.number(28, 4), let size = file.number(42, 2),
            let count = file.number(44, 2)
        else { return nil }
        architecture = flags & 0xff
        var loads: [(offset: Int, address: Int, byteCount: Int)] = []
        var dynamic: (offset: Int, byteCount: Int)?
        for index in 0..<count {
            let header = table + index * size
            guard let type = file.number(header, 4), let offset = file.number(header + 4, 4),
                let address = file.number(header + 8, 4), let byteCount = file.number(header + 16, 4)
            else { return nil }
            if type == 1 { loads.append((offset, address, byteCount)) }
            if type == 2 { dynamic = (offset, byteCount) }
        }
        guard let dynamic else {
            needed = []
            return
        }
        var names: [Int] = []
        var strings: Int?
        for position in stride(from: dynamic.offset, to: dynamic.offset + dynamic.byteCount, by: 8) {
            guard let tag = file.number(position, 4), let value = file.number(position + 4, 4) else {
                return nil
            }
            if tag == 0 { break }
            if tag == 1 { names.append(value) }
            if tag == 5 {
                let load = loads.first { $0.address <= value && value - $0.address < $0.byteCount }
                strings = load.map { $0.offset + value - $0.address }
            }
        }
        needed = strings.map { start in names.compactMap { file.string(start + $0) } } ?? []
    }

    private struct Reader {
        let bytes: [UInt8]

        func number(_ offset: Int, _ byteCount: Int) -> Int? {
            guard offset >= 0, offset <= bytes.count - byteCount else { return nil }
            return bytes[offset..<offset + byteCount].reversed().reduce(0) { $0 << 8 | Int($1) }
        }

        func string(_ offset: Int) -> String? {
            guard bytes.indices.contains(offset) else { return nil }
            return String(decoding: bytes[offset...].prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
