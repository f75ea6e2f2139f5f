import DSPQueue
import ErrorCodes
import Synchronization

/// A session through libcdsprpc.
///
/// What outlives it does no harm: a call or a close on a handle after ``end()`` is refused here, since the
/// library may by then have given the handle's number to somebody else.
public final class LibrarySession: TransportSession {
    /// Which DSP, which session, what rights.
    public let configuration: SessionConfiguration
    /// The number that stands for domain and session in the library's functions.
    public let effectiveDomain: CInt

    private let library: FastRPCLibrary
    private let process: LibraryProcess
    private let handles = Mutex<Set<UInt64>>([])
    /// Bytes of mapped buffers, by descriptor.
    private let mappings = Mutex<[CInt: Int]>([:])
    private let hasEnded = Atomic(false)
    private let isAbandoned = Atomic(false)

    init(_ library: FastRPCLibrary, _ configuration: SessionConfiguration) throws(RemoteCallError) {
        let number = try library.effectiveDomain(of: configuration)
        let process = LibraryProcess.of(library, number)
        // Before the last property is set: an object that is complete would leave in its deinit.
        try process.join(configuration)
        self.library = library
        self.configuration = configuration
        effectiveDomain = number
        self.process = process
    }

    deinit {
        end()
    }

    /// `remote_handle64_open`, with the URI that the library makes of it (`FASTRPC_GET_URI`), or one made by
    /// hand where it cannot.
    public func open(_ uri: ModuleURI) throws(RemoteCallError) -> UInt64 {
        try checkOpen("open \(uri)")
        let text = sessionURI(uri)
        var handle: UInt64 = 0
        let status = library.open(uri: text, handle: &handle)
        try check(status, "open \(text)", .openModule, or: Advice.open)
        handles.withLock { _ = $0.insert(handle) }
        return handle
    }

    /// `remote_handle64_invoke`
    public func invoke(
        _ handle: UInt64, _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        guard !hasEnded.load(ordering: .relaxed), !isAbandoned.load(ordering: .relaxed) else {
            throw ended("call method \(scalars.method)")
        }
        let status = library.invoke(
            handle: handle, scalars: scalars.rawValue,
            arguments: UnsafeMutableRawPointer(arguments.baseAddress))
        // The message is put together only where it is needed: this is the hot path.
        guard status == 0 else {
            let result = AEEResult(status)
            throw RemoteCallError(
                result, operation: "call method \(scalars.method) of a module on \(configuration.domain)",
                advice: Advice.about(result, in: .call, or: Advice.invoke))
        }
    }

    /// `remote_handle64_close`
    public func close(_ handle: UInt64) throws(RemoteCallError) {
        let operation = "close a module on \(configuration.domain)"
        // At the end of a session that was given up it is closed with the others.
        if isAbandoned.load(ordering: .relaxed) { throw ended(operation) }
        guard handles.withLock({ $0.remove(handle) }) != nil else { throw ended(operation) }
        try check(library.close(handle: handle), operation)
    }

    /// `rpcmem_alloc`
    public var allocator: any SharedMemoryAllocator { RPCMemAllocator(library: library) }

    /// `fastrpc_mmap` for code that finds the buffer by its descriptor.
    public func map(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        try map(descriptor, address, byteCount, .descriptor)
    }

    /// `fastrpc_mmap`
    public func map(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int, _ flag: MapFlag
    ) throws(RemoteCallError) {
        let status = library.map(
            domain: effectiveDomain, descriptor: descriptor, address: address, byteCount: byteCount,
            flags: flag.rawValue)
        try check(status, "map \(byteCount) bytes on \(configuration.domain)", .map, or: Advice.map)
        mappings.withLock { $0[descriptor] = byteCount }
    }

    /// `fastrpc_munmap`
    public func unmap(
        _ descriptor: CInt, _ address: UnsafeMutableRawPointer, _ byteCount: Int
    ) throws(RemoteCallError) {
        let status = library.unmap(
            domain: effectiveDomain, descriptor: descriptor, address: address, byteCount: byteCount)
        try check(status, "unmap \(byteCount) bytes on \(configuration.domain)")
        mappings.withLock { _ = $0.removeValue(forKey: descriptor) }
    }

    /// What this session has mapped counts; other sessions of the library have processes of their own.
    public var mappableMemory: SessionMemory? {
        SessionMemory(mapped: mappings.withLock { $0.values.reduce(0, +) })
    }

    /// Makes a message queue of the library's. Buffers that packets name must be mapped in this session. Open
    /// a module first, and close the queue before the session.
    ///
    /// - Parameters:
    ///   - requestByteCount: bytes for packets to the DSP, a multiple of 8 up to 16,777,216; 0 for 65,536.
    ///   - responseByteCount: bytes for packets from it, likewise; 0 for 16,384.
    public func makeQueue(
        requestByteCount: Int = 0, responseByteCount: Int = 0
    ) throws(DSPQueueError) -> any MessageQueue {
        try LibraryQueue(
            library: library, effectiveDomain: effectiveDomain, requestByteCount: requestByteCount,
            responseByteCount: responseByteCount)
    }

    /// `DSPRPC_GET_DSP_INFO`
    public func capability(_ attribute: DSPAttribute) throws(RemoteCallError) -> UInt32? {
        try LibraryTransport(library: library).capability(attribute, of: configuration.domain)
    }

    /// Later calls are refused here.
    public func abandon() {
        isAbandoned.store(true, ordering: .relaxed)
        Self.anyAbandoned.store(true, ordering: .relaxed)
    }

    private static let anyAbandoned = Atomic(false)

    /// Whether a session was given up. What the library does when a program ends may then wait for a DSP that does not
    /// answer, for ever: leave with `_exit`.
    package static var wasAbandoned: Bool { anyAbandoned.load(ordering: .relaxed) }

    /// Closes what this session left open. The library ends the process on the DSP with its last handle.
    public func end() {
        guard !hasEnded.exchange(true, ordering: .relaxed) else { return }
        let left = handles.withLock { handles in
            defer { handles = [] }
            return handles
        }
        guard isAbandoned.load(ordering: .relaxed) else { return process.leave(closing: left) }
        // To close a handle is a call as well, which this DSP may never answer: a thread has a second for it, and is
        // then told to leave the driver.
        let leaving = try? ServiceThread("fastrpc-leave") { [process] in process.leave(closing: left) }
        guard let leaving, !leaving.join(until: .now + .seconds(1)) else { return }
        leaving.interrupt(until: .now + .seconds(1))
    }

    private func sessionURI(_ uri: ModuleURI) -> String {
        var module = uri
        module["_dom"] = nil
        module["_session"] = nil
        var text = ""
        let status = library.uri(
            module: module.description, domain: configuration.domain.name,
            session: UInt32(configuration.index), uri: &text)
        // 0x14 on old libraries.
        guard status == 0, text.hasPrefix(module.description) else {
            return uri.on(configuration).description
        }
        return text
    }

    private func checkOpen(_ operation: @autoclosure () -> String) throws(RemoteCallError) {
        if hasEnded.load(ordering: .relaxed) { throw ended(operation()) }
    }

    private func ended(_ operation: String) -> RemoteCallError {
        RemoteCallError(
            .invalidHandle, operation: operation, advice: "the session or the handle has been closed")
    }

    private func check(
        _ status: CInt, _ operation: @autoclosure () -> String, _ situation: ErrorCode.Situation = .library,
        or usual: String = ""
    ) throws(RemoteCallError) {
        guard status == 0 else {
            let result = AEEResult(status)
            throw RemoteCallError(
                result, operation: operation(), advice: Advice.about(result, in: situation, or: usual))
        }
    }
}
