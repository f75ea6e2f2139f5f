import HTPDevice
import Models

/// A DSP failed at a piece of work.
package struct DeviceFailure: Error {
    /// Among the executor's devices.
    package var device: Int
    package var error: any Error
}

extension Executor {
    /// A token in the cache.
    struct CachedToken {
        var id: Int32
        /// Its keys and values come from the DSPs.
        var isOnDevices: Bool
        /// They went with a DSP's process: what that had in its caches may never have reached the memory.
        var isLost = false
    }

    /// Sessions that may fail one after the other at the same work.
    private static let attempts = 3

    /// After a failure: a fresh session, or the CPU where there is none to be had. What the DSPs put into the cache
    /// counts as lost; computed again in a fresh session it has the same bits.
    func recover(from failure: DeviceFailure) throws {
        counters.recoveries += 1
        failuresInSequence += 1
        let device = devices[failure.device]
        // The rest is computed again.
        deviceGraphs[failure.device].keepInCache(1 + (cached.lastIndex { !$0.isOnDevices } ?? -1))
        var reason = "\(failure.error)"
        if failuresInSequence > Self.attempts {
            reason += "; that happened \(failuresInSequence) times in a row"
            hasLostDevices = true
        } else {
            do {
                try device.reopen()
            } catch let interruption as Interruption {
                throw interruption
            } catch {
                reason += "; a new session cannot be had: \(error)"
                hasLostDevices = true
            }
        }
        try moveCache()
        markLost()
        tell(
            hasLostDevices
                ? "\(reason); the CPU goes on alone" : "\(reason); the work is repeated in a new session")
    }

    /// What the DSPs put into the cache is lost. Layers that hold only their window may hold what comes later in the place
    /// of what is needed to compute it again: then all that follows, or everything, is computed again, too.
    private func markLost() {
        guard let first = cached.firstIndex(where: \.isOnDevices) else { return }
        guard cache.layout.positions.indices.contains(where: cache.layout.isRing) else {
            for index in cached.indices where cached[index].isOnDevices { cached[index].isLost = true }
            return
        }
        let start = cache.canGoOn(at: first) ? first : 0
        if start == 0 { cache.restart() }
        for index in start..<cached.count { cached[index].isLost = true }
    }

    /// Finds the cache where it lies after a call that did not return: the DSP may still write to where it was.
    private func moveCache() throws {
        for (index, device) in deviceGraphs.enumerated() {
            try device.device.secureMemory()
            guard device.device.memoryGeneration != memoryGenerations[index] else { continue }
            memoryGenerations[index] = device.device.memoryGeneration
            cache.move(try device.cacheLayers())
        }
    }

    /// A DSP that fails often is not news; that it is given up is.
    private func tell(_ text: String) {
        guard hasTold != hasLostDevices else { return }
        hasTold = hasLostDevices
        options.onNotice?(text)
    }

    /// Counts what was repeated while the model was loaded.
    package func noteRecoveries(_ count: Int) { counters.recoveries += count }

    /// Computes keys and values again that were lost.
    func restoreCache() throws {
        while let first = cached.firstIndex(where: \.isLost) {
            let side = cached[first].isOnDevices
            let lost = cached[first...].prefix(options.batch).prefix { $0.isLost && $0.isOnDevices == side }
            let onDevices = side && !hasLostDevices
            try compute(lost.map(\.id), at: first, outputs: .none, onDevices: onDevices)
            for index in lost.indices {
                cached[index].isLost = false
                cached[index].isOnDevices = onDevices
            }
        }
    }
}
