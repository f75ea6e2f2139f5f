import HexagonRPC

/// Reaches a virtual DSP in this process.
public struct SimulatorTransport: Transport {
    /// The DSP.
    public let processor: VirtualProcessor

    /// A transport to `processor`.
    public init(_ processor: VirtualProcessor = VirtualProcessor()) {
        self.processor = processor
    }

    /// `simulator`
    public var name: String { "simulator" }

    /// Begins a session on the virtual DSP.
    public func connect(
        _ configuration: SessionConfiguration
    ) throws(RemoteCallError) -> any TransportSession {
        let result = processor.allowUnsignedModules(
            configuration.unsignedModules, domain: configuration.effectiveDomain)
        guard result == .success else {
            throw RemoteCallError(
                result,
                operation: "begin session \(configuration.index) on the simulated \(configuration.domain)",
                advice: "that session is in use")
        }
        return SimulatorSession(processor, configuration)
    }
}

final class SimulatorSession: TransportSession {
    private let processor: VirtualProcessor
    private let configuration: SessionConfiguration

    init(_ processor: VirtualProcessor, _ configuration: SessionConfiguration) {
        self.processor = processor
        self.configuration = configuration
    }

    func open(_ uri: ModuleURI) throws(RemoteCallError) -> UInt64 {
        let text = uri.on(configuration).description
        let (result, handle) = processor.open(uri: text)
        try check(result, "open \(text)")
        return handle
    }

    func invoke(
        _ handle: UInt64, _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        try check(
            processor.invoke(handle: handle, scalars: scalars, arguments: arguments),
            "call method \(scalars.method) of a simulated module")
    }

    func close(_ handle: UInt64) throws(RemoteCallError) {
        try check(processor.close(handle: handle), "close a simulated module")
    }

    var allocator: any SharedMemoryAllocator { MemoryFileAllocator() }

    var mappableMemory: SessionMemory? {
        SessionMemory(
            total: processor.sessionByteCount,
            mapped: processor.mappedByteCount(domain: configuration.effectiveDomain))
    }

    func map(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        try check(
            processor.map(
                domain: configuration.effectiveDomain, descriptor: descriptor, offset: 0,
                byteCount: byteCount, flags: 2),
            "map \(byteCount) bytes on the simulated DSP")
    }

    func unmap(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        try check(
            processor.unmap(domain: configuration.effectiveDomain, descriptor: descriptor),
            "unmap \(byteCount) bytes on the simulated DSP")
    }

    func end() {
        processor.end(domain: configuration.effectiveDomain)
    }

    private func check(
        _ result: AEEResult, _ operation: @autoclosure () -> String
    ) throws(RemoteCallError) {
        guard result == .success else { throw RemoteCallError(result, operation: operation()) }
    }
}
