/// Where the parts of a queue lie in its shared memory: header, then for each direction the data, the
/// reader's state and the writer's state, every part at a multiple of 256 bytes.
package struct QueueLayout: Hashable, Sendable {
    /// Host to DSP.
    package var request: RingLayout
    /// DSP to host.
    package var response: RingLayout

    /// Bytes of the whole memory.
    package var byteCount: Int { response.writeState + Self.line }

    /// Parts start at multiples of this, so that no two share a cache line.
    package static let line = 256
    /// What queue sizes of 0 stand for.
    package static let defaultRequestByteCount = 65_536
    package static let defaultResponseByteCount = 16_384
    /// The largest data area of one direction.
    package static let maximumByteCount = 16_777_216
    /// A packet header and the gap that keeps a full queue from looking empty.
    package static let minimumByteCount = 16

    /// The layout of a new queue; 0 stands for the default size.
    package init(requestByteCount: Int = 0, responseByteCount: Int = 0) throws(DSPQueueError) {
        request = try RingLayout(
            at: Self.line, byteCount: requestByteCount == 0 ? Self.defaultRequestByteCount : requestByteCount)
        response = try RingLayout(
            at: request.writeState + Self.line,
            byteCount: responseByteCount == 0 ? Self.defaultResponseByteCount : responseByteCount)
    }

    init(request: RingLayout, response: RingLayout) {
        self.request = request
        self.response = response
    }
}

/// Where the parts of one direction lie; offsets from the start of the shared memory.
package struct RingLayout: Hashable, Sendable {
    package var data: Int
    package var byteCount: Int
    package var readState: Int
    package var writeState: Int

    package init(data: Int, byteCount: Int, readState: Int, writeState: Int) {
        self.data = data
        self.byteCount = byteCount
        self.readState = readState
        self.writeState = writeState
    }

    fileprivate init(at offset: Int, byteCount: Int) throws(DSPQueueError) {
        guard byteCount >= QueueLayout.minimumByteCount, byteCount <= QueueLayout.maximumByteCount,
            byteCount % 8 == 0
        else {
            throw .invalidArgument(
                "a queue of \(byteCount) bytes; possible are multiples of 8 from "
                    + "\(QueueLayout.minimumByteCount) to \(QueueLayout.maximumByteCount)")
        }
        let data = offset
        let lines = (byteCount + QueueLayout.line - 1) / QueueLayout.line
        readState = data + lines * QueueLayout.line
        writeState = readState + QueueLayout.line
        self.data = data
        self.byteCount = byteCount
    }
}
