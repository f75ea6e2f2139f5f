import HexagonRPC

/// One call of every kind.
struct Demonstration {
    var expression: String

    func run(_ session: borrowing Session, _ calculator: borrowing Calculator<RemoteHandle>) throws {
        // A string comes back: as much of it as there is room for.
        print("This is \(try calculator.about(textCapacity: 80)).")
        try evaluate(expression, calculator)
        try evaluate("2 * (3 +", calculator)
        try sums(calculator)
        try scale(session, calculator)
    }

    /// A string there, a number back. A call that fails says so and harms nothing, the next one works; unless
    /// the session is lost, which is not for us to handle.
    private func evaluate(_ expression: String, _ calculator: borrowing Calculator<RemoteHandle>) throws {
        do {
            print("\(expression) = \(try calculator.evaluate(expression: expression))")
        } catch {
            guard !error.isSessionLost else { throw error }
            print("\(expression) has no value: \(error.result)")
        }
    }

    /// A sequence there, a number or a sequence back. Arrays lend their memory; neither is copied on this side.
    private func sums(_ calculator: borrowing Calculator<RemoteHandle>) throws {
        let values: [Int32] = [3, 1, 4, 1, 5, 9, 2, 6]
        let total = try values.withUnsafeBufferPointer { try calculator.sum(values: $0) }
        print("\(values) add up to \(total)")

        // What comes back is written to memory of the caller, whose size says how much may come.
        let totals = try [Int64](unsafeUninitializedCapacity: values.count) { totals, count in
            let room = UnsafeMutableBufferPointer(rebasing: totals[..<values.count])
            room.initialize(repeating: 0)
            try values.withUnsafeBufferPointer { try calculator.runningTotals(values: $0, totals: room) }
            count = values.count
        }
        print("one after the other: \(totals)")
    }

    /// A buffer that both sides see travels as its file descriptor, whatever its size.
    private func scale(_ session: borrowing Session, _ calculator: borrowing Calculator<RemoteHandle>) throws
    {
        let count = 1 << 20
        let buffer = try session.allocator.allocate(byteCount: count * MemoryLayout<Float>.stride)
        // The processor's caches are cleaned where this ends: the DSP reads memory.
        try buffer.withCPUAccess(.write) { bytes in
            let numbers = bytes.bindMemory(to: Float.self)
            for index in 0..<count { numbers[index] = Float(index) }
        }
        try session.map(buffer)
        let largest = try calculator.scale(fd: buffer.descriptor, count: UInt32(count), factor: 0.5)
        try session.unmap(buffer)
        let last = try buffer.withCPUAccess(.read) { $0.bindMemory(to: Float.self)[count - 1] }
        print("\(count) numbers halved where they lie: the largest is \(largest), the last \(last)")
        buffer.close()
    }
}
