import HexagonRPC

/// Searches for the largest buffer that can be mapped, within what the machine can spare.
struct LargestMapping {
    let session: any TransportSession
    /// Is told what is known so far, as the next attempt may hang.
    let progress: ([String: String]) -> Void

    private static let addressSpace = SessionMemory.addressSpaceByteCount
    /// What an attempt must leave to the machine.
    private static let reserve = 512 << 20
    private static let step = 16 << 20

    func find() throws -> [String: String] {
        let deadline = ContinuousClock.now + .seconds(3)
        let available = try MemoryCapacity.current().availableByteCount
        let spare = max(0, min(available / 2, available - Self.reserve))
        let bound = max(Self.step, min(spare, Self.addressSpace) / Self.step * Self.step)
        var tried: [String] = []
        func result(_ bytes: Int, _ limit: String?) -> [String: String] {
            var values = ["bytes": "\(bytes)", "tried": tried.joined(separator: ", ")]
            values["limit"] = limit
            return values
        }
        // `low` can be mapped, `high` cannot; sizes double until one cannot.
        var (low, high) = (1 << 20, bound + Self.step)
        var size = min(64 << 20, bound)
        while high - low > Self.step {
            guard ContinuousClock.now < deadline else { return result(low, "it took 3 s") }
            let works = try canMap(size)
            tried.append("\(size >> 20) MiB \(works ? "yes" : "no")")
            if works { low = size } else { high = size }
            progress(result(low, nil))
            if low == bound {
                return result(
                    low, bound < Self.addressSpace ? "half of the free memory" : "a process's addresses")
            }
            size = high > bound ? min(low * 2, bound) : (low + high) / 2 / Self.step * Self.step
            if size <= low { break }
        }
        return result(low, nil)
    }

    private func canMap(_ byteCount: Int) throws -> Bool {
        do {
            let buffer = try session.allocator.allocate(byteCount: byteCount)
            try session.map(buffer.descriptor, buffer.address, byteCount)
            try session.unmap(buffer.descriptor, buffer.address, byteCount)
            return true
        } catch let error as RemoteCallError where error.isSessionLost {
            throw error
        } catch {
            return false
        }
    }
}
