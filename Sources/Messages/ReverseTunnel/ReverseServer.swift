import RemoteCalls
import Synchronization
import SystemInterfaces

/// What the DSP calls on the host: finds the service behind a handle, and hands it the call.
///
/// Handle 0 is `apps_remotectl`, by which the DSP opens the others. Calls may come from any thread; one is
/// served at a time.
public final class ReverseServer: @unchecked Sendable {
    /// Handles that the DSP may hold at the same time.
    public static let maximumHandles = 20

    // Sendable, unchecked, because handles and services are touched under the lock only: `init` is given
    // the services for good.
    private let services: [any ReverseService]
    private let maximumReply: Int
    private let lock = Mutex(())
    private var handles: [UInt32: any ReverseService] = [:]
    // The library counts 0…10 as constant handles.
    private var nextHandle: UInt32 = 16

    /// Serves `services`, found by their names.
    ///
    /// - Parameter maximumReply: bytes that a call's out buffers may have together.
    public init(services: sending [any ReverseService], maximumReply: Int = 16 << 20) {
        self.services = services
        self.maximumReply = min(max(0, maximumReply), Int(Int32.max))
    }

    /// Serves one call.
    ///
    /// - Parameters:
    ///   - handle: the handle that the DSP calls.
    ///   - scalars: method and argument counts.
    ///   - request: the in buffers and out capacities, as `next2` delivered them.
    /// - Returns: the status, and the packed out buffers; none where the status is not 0.
    public func handle(
        _ handle: UInt32, scalars: Scalars, request: UnsafeRawBufferPointer
    ) -> (result: AEEResult, reply: [UInt8]) {
        lock.withLock { _ in
            do throws(RemoteCallError) {
                let request = try ReverseRequest(scalars, request, maximumReply: maximumReply)
                return (.success, try request.invoke(scalars, on: service(handle)))
            } catch {
                return (error.result == .success ? .failed : error.result, [])
            }
        }
    }

    private func service(_ handle: UInt32) throws(RemoteCallError) -> any ReverseService {
        if handle == AppsRemotectlMethod.handle { return RemoteControl(server: self) }
        guard let service = handles[handle] else {
            throw RemoteCallError(.invalidHandle, operation: "reverse call on handle \(handle)")
        }
        return service
    }

    fileprivate func open(_ name: String) -> (handle: UInt32, error: AEEResult) {
        guard let service = services.first(where: { $0.name == name }) else { return (0, .noSuchModule) }
        guard handles.count < Self.maximumHandles else { return (0, .outOfHandles) }
        while handles[nextHandle] != nil { advance() }
        defer { advance() }
        handles[nextHandle] = service
        return (nextHandle, .success)
    }

    private func advance() {
        // Handles travel as `int`: stay positive.
        nextHandle = nextHandle == UInt32(Int32.max) ? 16 : nextHandle + 1
    }

    fileprivate func close(_ handle: UInt32) -> AEEResult {
        handles.removeValue(forKey: handle) == nil ? .invalidHandle : .success
    }
}

/// `apps_remotectl`: opens and closes the others. Used under the server's lock.
private final class RemoteControl: ReverseService {
    let name = AppsRemotectlMethod.interface
    private let server: ReverseServer

    init(server: ReverseServer) {
        self.server = server
    }

    func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        var (method, call) = try AppsRemotectlMethod.unpack(scalars, arguments)
        var reply = WireWriter()
        let error: AEEResult
        let message: String
        let room: UnsafeMutableRawBufferPointer
        switch method {
        case .open:
            let module = try call.readName()
            room = try call.roomForSequence(elementSize: 1)
            let opened = server.open(module)
            reply.append(opened.handle)
            error = opened.error
            message = "the host does not serve \(module), or it has no handle left"
        case .close:
            let handle = try call.read(UInt32.self)
            room = try call.roomForSequence(elementSize: 1)
            error = server.close(handle)
            message = "handle \(handle) is not open"
        }
        reply.append(error.rawValue)
        if error != .success { room.copyString(message) }
        try call.finish(reply)
    }
}

extension IncomingCall {
    /// Takes a string that must be one: UTF-8, with a zero at its end and nowhere else.
    mutating func readName() throws(RemoteCallError) -> String {
        let bytes = try readSequence(elementSize: 1)
        guard bytes.last == 0 else {
            throw RemoteCallError(.badParameter, operation: "reading a string that does not end with zero")
        }
        guard !bytes.dropLast().contains(0), let text = String(validating: bytes.dropLast(), as: UTF8.self)
        else {
            throw RemoteCallError(FileError.invalid.result, operation: "reading a name that is no UTF-8")
        }
        return text
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Fills with as much of `text` as there is room for, and a zero.
    func copyString(_ text: String) {
        guard !isEmpty else { return }
        let bytes = text.utf8.prefix(count - 1)
        copyBytes(from: bytes)
        self[bytes.count] = 0
    }
}
