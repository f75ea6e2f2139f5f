/// Counters of all queues that a process has on a domain: after a signal, which has no argument, they say
/// which queue moved. Four arrays of 64 words, 1024 bytes; one writer for each array.
package struct ProcessState: Sendable {
    /// Bytes of the block.
    package static let byteCount = 1024
    /// Queues a process may have on a domain.
    package static let queueCount = 64

    /// The arrays, by their offset.
    package enum Counter: Int, Sendable {
        /// `req_packet_count`, counted by the host: a request was written.
        case requestPackets = 0
        /// `req_space_count`, counted by the DSP: a request was read.
        case requestSpace = 256
        /// `resp_packet_count`, counted by the DSP: a response was written.
        case responsePackets = 512
        /// `resp_space_count`, counted by the host: a response was read.
        case responseSpace = 768
    }

    private let words: [SharedWord]

    /// The block at the start of `bytes`, which must be 4-aligned and hold it.
    package init(_ bytes: UnsafeMutableRawBufferPointer) {
        guard let base = bytes.baseAddress, bytes.count >= Self.byteCount else {
            preconditionFailure("the memory was allocated for the block")
        }
        words = (0..<Self.byteCount / 4).map { SharedWord(base + 4 * $0) }
    }

    /// The counter of a queue; `queue` is below 64.
    package func word(_ counter: Counter, queue: Int) -> SharedWord {
        precondition(queue < Self.queueCount)
        return words[counter.rawValue / 4 + queue]
    }
}
