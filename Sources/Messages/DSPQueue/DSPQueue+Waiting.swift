extension DSPQueue {
    /// Writes a packet and waits for room: `dspqueue_write`.
    ///
    /// - Parameter deadline: when to give up with `expired`; nil for never.
    public func write(
        _ message: [UInt8], buffers: [BufferReference] = [], flags: PacketFlags = [],
        deadline: ContinuousClock.Instant?
    ) throws(DSPQueueError) {
        let isWritten: Bool? = try block(deadline, "no room for a packet", beginWriting, endWriting) {
            () throws(DSPQueueError) in
            try write(message, buffers: buffers, flags: flags) ? true : nil
        }
        assert(isWritten == true)
    }

    /// Waits for a packet and reads it: `dspqueue_read`.
    ///
    /// - Parameter deadline: when to give up with `expired`; nil for never.
    public func read(deadline: ContinuousClock.Instant?) throws(DSPQueueError) -> Packet {
        try block(deadline, "no packet", beginReading, endReading) { () throws(DSPQueueError) in try read() }
    }

    /// Waits for a packet and says what it needs: `dspqueue_peek`.
    ///
    /// - Parameter deadline: when to give up with `expired`; nil for never.
    public func peek(deadline: ContinuousClock.Instant?) throws(DSPQueueError) -> PacketSize {
        try block(deadline, "no packet", beginReading, endReading) { () throws(DSPQueueError) in try peek() }
    }

    /// Waits for a packet without a thread and reads it.
    ///
    /// - Throws: `CancellationError` when the task is cancelled; no packet is lost then.
    public func nextPacket() async throws -> Packet {
        try Task.checkCancellation()
        if let packet = try read() { return packet }
        beginReading()
        defer { endReading() }
        while true {
            let seen = try gate.current()
            if let packet = try read() { return packet }
            await gate.wait(after: seen)
            try Task.checkCancellation()
        }
    }

    /// Tries until `attempt` has something. The wait is announced and the attempt made once more before
    /// the first sleep, so that a side that did not see the announcement was seen itself.
    private func block<Value>(
        _ deadline: ContinuousClock.Instant?, _ what: String, _ begin: () -> Void, _ end: () -> Void,
        _ attempt: () throws(DSPQueueError) -> Value?
    ) throws(DSPQueueError) -> Value {
        if let value = try attempt() { return value }
        let start = ContinuousClock.now
        begin()
        defer { end() }
        while true {
            let seen = try gate.current()
            if let value = try attempt() { return value }
            guard gate.wait(after: seen, until: deadline) else {
                throw .expired("\(what) after \(ContinuousClock.now - start)")
            }
        }
    }
}
