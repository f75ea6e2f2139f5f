/// The addresses that a process of a 32-bit DSP has for mappings and pages.
///
/// They are numbers for the client only: programs on the virtual DSP run at the host's addresses.
struct AddressSpace {
    private static let page: UInt64 = 4096
    private static let start: UInt64 = 0x1000_0000
    private static let end: UInt64 = 0xf000_0000
    /// What is taken, in order.
    private var ranges: [Range<UInt64>] = []

    /// Takes the lowest gap that is large enough; nil when there is none.
    mutating func take(_ byteCount: UInt64) -> UInt64? {
        guard byteCount > 0, byteCount <= Self.end - Self.start else { return nil }
        let size = (byteCount + Self.page - 1) / Self.page * Self.page
        var address = Self.start
        for (index, range) in ranges.enumerated() {
            if range.lowerBound - address >= size {
                ranges.insert(address..<address + size, at: index)
                return address
            }
            address = range.upperBound
        }
        guard address + size <= Self.end else { return nil }
        ranges.append(address..<address + size)
        return address
    }

    /// Gives back what was taken at `address`.
    mutating func release(_ address: UInt64) {
        ranges.removeAll { $0.lowerBound == address }
    }
}
