/// What can be read off a 64-bit little-endian ELF file without loading it: the machine it is for and
/// the functions it offers.
///
/// Loading a FastRPC library to look at it would run its constructor, which may take a DSP session.
package struct ELFImage: Sendable {
    /// `e_machine`, for example 183 for arm64 and 62 for x86-64.
    package let machine: UInt16
    /// Names of the symbols that the file defines for others; nil where the file has no table of them.
    package let definedSymbols: Set<String>?

    /// Why a file could not be read as ELF.
    package struct Malformed: Error, CustomStringConvertible {
        /// In words.
        package var description: String
    }

    /// Reads a whole file. Every offset and size in it is checked.
    package init(bytes: [UInt8]) throws(Malformed) {
        let file = Reader(bytes: bytes)
        guard bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else {
            throw Malformed(description: "not an ELF file")
        }
        guard try file.byte(4) == 2, try file.byte(5) == 1 else {
            throw Malformed(description: "not a 64-bit little-endian ELF file")
        }
        machine = UInt16(truncatingIfNeeded: try file.number(18, byteCount: 2))
        let sections = try file.offset(40)
        let sectionSize = try file.number(58, byteCount: 2)
        let sectionCount = try file.number(60, byteCount: 2)
        // Both factors have 16 bits, and the offset lies in the file.
        guard sections + sectionSize * sectionCount <= bytes.count else {
            throw Malformed(description: "cut off")
        }

        var symbols: Set<String>?
        for index in 0..<sectionCount {
            let header = try file.element(index, of: sectionSize, at: sections)
            guard try file.number(header + 4, byteCount: 4) == Self.dynamicSymbolTable else { continue }
            let stringTable = try file.number(header + 40, byteCount: 4)
            guard stringTable < sectionCount else { throw Malformed(description: "no string table") }
            let strings = try file.offset(file.element(stringTable, of: sectionSize, at: sections) + 24)
            let table = try file.offset(header + 24)
            let byteCount = try file.offset(header + 32)
            var names: Set<String> = []
            for entry in 0..<byteCount / Self.symbolSize {
                let symbol = try file.element(entry, of: Self.symbolSize, at: table)
                // Section 0 means that the file itself looks for the symbol elsewhere.
                guard try file.number(symbol + 6, byteCount: 2) != 0 else { continue }
                let name = try file.number(symbol, byteCount: 4)
                names.insert(try file.string(strings, name))
            }
            symbols = names
        }
        definedSymbols = symbols
    }

    private static let dynamicSymbolTable = 11  // SHT_DYNSYM
    private static let symbolSize = 24  // sizeof(Elf64_Sym)

    private struct Reader {
        let bytes: [UInt8]

        func byte(_ offset: Int) throws(Malformed) -> UInt8 {
            guard bytes.indices.contains(offset) else { throw Malformed(description: "cut off") }
            return bytes[offset]
        }

        func number(_ offset: Int, byteCount: Int) throws(Malformed) -> Int {
            var value = 0
            for index in (0..<byteCount).reversed() { value = value << 8 | Int(try byte(offset + index)) }
            return value
        }

        /// A 64-bit offset or size; one past the end of the file is an error at once.
        func offset(_ position: Int) throws(Malformed) -> Int {
            let value = try number(position, byteCount: 8)
            guard (0...bytes.count).contains(value) else { throw Malformed(description: "cut off") }
            return value
        }

        func element(_ index: Int, of size: Int, at start: Int) throws(Malformed) -> Int {
            let (product, first) = index.multipliedReportingOverflow(by: size)
            let (sum, second) = start.addingReportingOverflow(product)
            guard !first, !second, sum < bytes.count else { throw Malformed(description: "cut off") }
            return sum
        }

        func string(_ table: Int, _ offset: Int) throws(Malformed) -> String {
            let start = try element(offset, of: 1, at: table)
            guard let end = bytes[start...].firstIndex(of: 0) else {
                throw Malformed(description: "cut off")
            }
            return String(decoding: bytes[start..<end], as: UTF8.self)
        }
    }
}
