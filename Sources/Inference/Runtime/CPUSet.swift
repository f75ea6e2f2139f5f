import CLinux

/// CPUs that a thread may run on.
package struct CPUSet: Sendable, Equatable {
    private var words: [UInt]

    /// Numbers below this can be in a set.
    package static let limit = 1024
    private static let bits = UInt.bitWidth

    /// The CPUs of these numbers, each from 0 to below ``limit``.
    package init(_ numbers: some Sequence<Int>) {
        words = Array(repeating: 0, count: Self.limit / Self.bits)
        for number in numbers { words[number / Self.bits] |= 1 << (number % Self.bits) }
    }

    /// The CPUs that the calling thread may run on; nil where the system does not say.
    package static var current: CPUSet? {
        var set = CPUSet([])
        let code = set.words.withUnsafeMutableBytes { clinux_get_affinity($0.baseAddress, UInt($0.count)) }
        return code >= 0 ? set : nil
    }

    package func contains(_ number: Int) -> Bool {
        (0..<Self.limit).contains(number) && words[number / Self.bits] >> (number % Self.bits) & 1 == 1
    }

    /// In rising order.
    package var numbers: [Int] { (0..<Self.limit).filter(contains) }

    /// Moves the calling thread to them. A CPU that went offline is not worth ending a program for: the thread then
    /// stays where it is.
    func use() {
        _ = words.withUnsafeBytes { clinux_set_affinity($0.baseAddress, UInt($0.count)) }
    }
}
