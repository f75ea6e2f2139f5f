/// The shared memory of a queue: a header that says where everything lies, and a ring for each direction.
package struct QueueMemory: @unchecked Sendable {
    /// Host to DSP.
    package let request: RingMemory
    /// DSP to host.
    package let response: RingMemory
    /// The queue's number in its process, the same in the call that hands it to the DSP.
    package let queueCount: UInt32
    /// What both sides agreed on.
    package let flags: Flags

    /// What the header says about the protocol.
    package struct Flags: OptionSet, Hashable, Sendable {
        package var rawValue: UInt32

        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// `WAIT_COUNTS`: a side that does not wait need not be signalled.
        package static let waitCounts = Flags(rawValue: 1)
        /// `DRIVER_SIGNALING`: needs kernel calls that mainline does not have.
        package static let driverSignaling = Flags(rawValue: 2)
    }

    /// The protocol that is written here.
    package static let version: UInt32 = 2
    /// A version that a DSP of version 2 refuses, and one of version 1 does not look at.
    package static let probeVersion: UInt32 = 0xffff_ffff
    /// Offsets in the header: version 0, error 4, flags 8, request 12, response 28, queue count 44.
    private static let headerByteCount = 48

    /// Writes header and states of an empty queue. `bytes` is page-aligned and holds the whole layout.
    package static func format(
        _ bytes: UnsafeMutableRawBufferPointer, layout: QueueLayout, queueCount: UInt32, version: UInt32,
        flags: Flags
    ) {
        precondition(bytes.count >= layout.byteCount)
        for ring in [layout.request, layout.response] {
            for state in [ring.readState, ring.writeState] {
                UnsafeMutableRawBufferPointer(rebasing: bytes[state..<state + QueueLayout.line])
                    .initializeMemory(as: UInt8.self, repeating: 0)
            }
        }
        let request = layout.request.words
        let response = layout.response.words
        let header = [version, 0, flags.rawValue] + request + response + [queueCount]
        for (index, word) in header.enumerated() {
            bytes.storeBytes(of: word.littleEndian, toByteOffset: 4 * index, as: UInt32.self)
        }
    }

    /// Reads the header of a queue that the other side formatted. `bytes` is 8-aligned.
    package init(_ bytes: UnsafeMutableRawBufferPointer) throws(DSPQueueError) {
        guard let base = bytes.baseAddress, bytes.count >= Self.headerByteCount else {
            throw .corrupt("\(bytes.count) bytes hold no queue header")
        }
        let header = (0..<Self.headerByteCount / 4).map { SharedWord(base + 4 * $0).load() }
        guard header[0] == Self.version else { throw .corrupt("version \(header[0])") }
        flags = Flags(rawValue: header[2])
        guard flags.isSubset(of: [.waitCounts]) else { throw .corrupt("header flags \(flags.rawValue)") }
        let layout = QueueLayout(request: RingLayout(header[3..<7]), response: RingLayout(header[7..<11]))
        try layout.check(byteCount: bytes.count)
        queueCount = header[11]
        request = RingMemory(base, layout.request)
        response = RingMemory(base, layout.response)
    }

    /// The rings of a queue that was formatted here; what the header says by now does not matter.
    package init(
        _ bytes: UnsafeMutableRawBufferPointer, layout: QueueLayout, queueCount: UInt32, flags: Flags
    ) {
        guard let base = bytes.baseAddress, bytes.count >= layout.byteCount else {
            preconditionFailure("the memory was allocated for the layout")
        }
        self.queueCount = queueCount
        self.flags = flags
        request = RingMemory(base, layout.request)
        response = RingMemory(base, layout.response)
    }
}

extension RingLayout {
    /// As the header has it: `queue_offset`, `queue_length`, `read_state_offset`, `write_state_offset`.
    fileprivate var words: [UInt32] {
        [data, byteCount, readState, writeState].map { UInt32($0) }
    }

    fileprivate init(_ words: ArraySlice<UInt32>) {
        let words = words.map { Int($0) }
        self.init(data: words[0], byteCount: words[1], readState: words[2], writeState: words[3])
    }
}

extension QueueLayout {
    /// Whether everything lies in the memory, on lines of its own.
    fileprivate func check(byteCount: Int) throws(DSPQueueError) {
        var parts = [0..<48]
        for ring in [request, response] {
            guard ring.byteCount >= Self.minimumByteCount, ring.byteCount <= Self.maximumByteCount,
                ring.byteCount % 8 == 0
            else { throw .corrupt("queue length \(ring.byteCount)") }
            parts.append(ring.data..<ring.data + ring.byteCount)
            parts.append(ring.readState..<ring.readState + 12)
            parts.append(ring.writeState..<ring.writeState + 12)
        }
        parts.sort { $0.lowerBound < $1.lowerBound }
        var end = 0
        for part in parts {
            guard part.lowerBound % Self.line == 0, part.lowerBound >= end, part.upperBound <= byteCount
            else {
                throw .corrupt("a part at \(part.lowerBound) of \(byteCount) bytes")
            }
            end = part.upperBound
        }
    }
}

/// One direction of a queue in shared memory.
package struct RingMemory: @unchecked Sendable {
    /// The packets; 8-aligned.
    package let data: UnsafeMutableRawPointer
    /// Bytes for packets, a multiple of 8.
    package let byteCount: Int
    /// Written by the reader only.
    package let readState: SideState
    /// Written by the writer only.
    package let writeState: SideState

    init(_ base: UnsafeMutableRawPointer, _ layout: RingLayout) {
        data = base + layout.data
        byteCount = layout.byteCount
        readState = SideState(base + layout.readState)
        writeState = SideState(base + layout.writeState)
    }

    /// A position as the other side stored it: in the data and 8-aligned, or an error.
    func position(_ state: SideState, of side: String) throws(DSPQueueError) -> Int {
        let position = Int(state.position.load())
        guard position < byteCount, position % 8 == 0 else {
            throw .corrupt("\(side) position \(position) in a queue of \(byteCount) bytes")
        }
        return position
    }
}

/// What one side tells the other.
package struct SideState: Sendable {
    /// Where its next packet starts.
    package let position: SharedWord
    /// Packets it wrote or read.
    package let packetCount: SharedWord
    /// How many of it wait for a signal.
    package let waitCount: SharedWord

    init(_ address: UnsafeMutableRawPointer) {
        position = SharedWord(address)
        packetCount = SharedWord(address + 4)
        waitCount = SharedWord(address + 8)
    }
}
