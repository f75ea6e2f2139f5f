import Glibc

extension KernelTransport {
    /// The nodes that may be opened for a domain, the preferred one first.
    func nodes(_ domain: Domain, unsignedModules: Bool) -> [FastRPCNode] {
        let order: [Bool] =
            switch options.nodeChoice {
            case .automatic: unsignedModules ? [false, true] : [true, false]
            case .plain: [false]
            case .secure: [true]
            }
        return order.map {
            FastRPCNode(label: domain.name, isSecure: $0, directory: options.nodeDirectory)
        }
    }

    /// Opens the first node that is there and may be opened.
    func openNode(
        _ domain: Domain, unsignedModules: Bool
    ) throws(RemoteCallError) -> FastRPCDevice {
        var failure: FastRPCKernelError?
        for node in nodes(domain, unsignedModules: unsignedModules) {
            do throws(FastRPCKernelError) {
                return try FastRPCDevice(opening: node)
            } catch {
                // Both nodes share their sessions: a busy one leaves nothing to try.
                guard [ENOENT, EACCES, EPERM].contains(error.errno) else { throw RemoteCallError(error) }
                // That one may not be opened says more than that the other does not exist.
                if failure == nil || failure?.errno == ENOENT { failure = error }
            }
        }
        guard let failure else { preconditionFailure("every choice has a node") }
        throw RemoteCallError(failure)
    }

    /// Blocks until a DSP can be reached: a node is there, may be opened, and its DSP runs. For after a session
    /// was lost, when the DSP restarts and its nodes vanish for a while.
    ///
    /// Opens the node for a moment, which takes one of the DSP's sessions. That all of them are in use counts
    /// as reached.
    ///
    /// - Throws: what stood in the way when the deadline passed.
    public func waitForNode(
        _ domain: Domain = .compute, unsignedModules: Bool = true, deadline: ContinuousClock.Instant
    ) throws(RemoteCallError) {
        while let obstacle = obstacle(domain, unsignedModules) {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { throw obstacle }
            usleep(useconds_t(min(left, Self.pause) / .microseconds(1)))
        }
    }

    /// Suspends until a DSP can be reached, like the blocking
    /// ``waitForNode(_:unsignedModules:deadline:)-(Domain,Bool,ContinuousClock.Instant)``.
    ///
    /// - Throws: what stood in the way when the deadline passed, or `CancellationError`.
    public func waitForNode(
        _ domain: Domain = .compute, unsignedModules: Bool = true, deadline: ContinuousClock.Instant
    ) async throws {
        while let obstacle = obstacle(domain, unsignedModules) {
            guard ContinuousClock.now < deadline else { throw obstacle }
            try await Task.sleep(for: Self.pause)
        }
    }

    private static let pause = Duration.milliseconds(50)

    private func obstacle(_ domain: Domain, _ unsignedModules: Bool) -> RemoteCallError? {
        do throws(RemoteCallError) {
            let device = try openNode(domain, unsignedModules: unsignedModules)
            // A node outlives its DSP for a moment; then every request fails with EPIPE.
            _ = try device.knownCapability(.architectureVersion)
            return nil
        } catch {
            return error.result == .noSession ? nil : error
        }
    }
}
